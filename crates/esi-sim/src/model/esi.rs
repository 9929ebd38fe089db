//! ESI's routes: lists, details, status.
//!
//! The rule: these functions only find the right answer. What it costs, and whether the caller may ask at all, is
//! decided around them in [`exchange`](super::exchange).

use chrono::{DateTime, Duration, NaiveDate, TimeDelta, Utc};
use ring::digest;
use serde_json::json;

use super::Model;
use super::access_token::{Bearer, LIST_SCOPE};
use super::answer::Answer;
use super::http_date::http_date;
use super::ids::{CharacterId, KillmailId};
use super::killmail::hexadecimal;
use super::request::page_number;

/// The detail route's `max-age`: a killmail never changes.
const DETAIL_TTL_SECONDS: i64 = 2_592_000;
const STATUS_TTL_SECONDS: i64 = 30;

impl Model {
    /// `GET /characters/{character_id}/killmails/recent`
    pub(super) fn list(
        &mut self,
        now: DateTime<Utc>,
        bearer: &Bearer,
        character_id: CharacterId,
        page: Option<&str>,
        if_none_match: Option<&str>,
    ) -> Answer {
        if let Some(refusal) = refuse_list(bearer, character_id) {
            return refusal;
        }
        let Some(page) = page_number(page) else {
            return Answer::error(400, "Invalid value for query parameter page");
        };
        let Some(character) = self.world.character(character_id) else {
            return Answer::error(404, "Character not found");
        };
        let (copy, was_cached) = self.lists.look_up(now, character);
        let pages = copy.killmail_ids.len().div_ceil(self.settings.page_size).max(1);
        let page_index = page as usize - 1;
        if page_index >= pages {
            return Answer::error(404, "Requested page does not exist!");
        }
        let references: Vec<_> = copy
            .killmail_ids
            .chunks(self.settings.page_size)
            .nth(page_index)
            .unwrap_or_default()
            .iter()
            .filter_map(|killmail_id| self.world.killmail(*killmail_id))
            .map(|killmail| json!({ "killmail_hash": killmail.killmail_hash, "killmail_id": killmail.killmail_id }))
            .collect();
        let mut answer = conditional(json!(references).to_string(), if_none_match);
        let seconds_left = (copy.expires_at - now).num_seconds().max(0);
        answer.set("Cache-Control", format!("private, max-age={seconds_left}"));
        answer.set("Last-Modified", http_date(copy.made_at));
        answer.set("Expires", http_date(copy.expires_at));
        answer.set("X-Pages", pages.to_string());
        answer.set("X-Esi-Cache-Status", if was_cached { "HIT" } else { "MISS" });
        answer
    }

    /// `GET /killmails/{killmail_id}/{killmail_hash}`
    pub(super) fn detail(
        &self,
        now: DateTime<Utc>,
        killmail_id: KillmailId,
        killmail_hash: &str,
        if_none_match: Option<&str>,
    ) -> Answer {
        let found =
            self.world.killmail(killmail_id).filter(|killmail| killmail.killmail_hash.as_str() == killmail_hash);
        let Some(killmail) = found else {
            return Answer::error(422, "Invalid killmail_id and/or killmail_hash");
        };
        let mut answer = conditional(killmail.body.get().to_owned(), if_none_match);
        answer.set("Cache-Control", format!("public, max-age={DETAIL_TTL_SECONDS}"));
        answer.set("Last-Modified", http_date(killmail.killmail_time));
        answer.set("Expires", http_date(now + TimeDelta::seconds(DETAIL_TTL_SECONDS)));
        answer
    }
}

/// `GET /status`
pub(super) fn status(now: DateTime<Utc>, if_none_match: Option<&str>) -> Answer {
    // The server comes up a minute after the daily downtime has begun at 11:00 UTC.
    let today = now.date_naive().and_hms_opt(11, 1, 55).expect("a constant time of day").and_utc();
    let start_time = if today <= now { today } else { today - TimeDelta::days(1) };
    let start_time = start_time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let body = json!({ "players": 23_045, "server_version": "3142455", "start_time": start_time });
    let mut answer = conditional(body.to_string(), if_none_match);
    answer.set("Cache-Control", format!("public, max-age={STATUS_TTL_SECONDS}"));
    answer.set("Last-Modified", http_date(now));
    answer.set("Expires", http_date(now + TimeDelta::seconds(STATUS_TTL_SECONDS)));
    answer
}

/// 400 for a compatibility date that is none, lies in the future (ESI's day begins at 11:00 UTC) or before 2020.
pub(super) fn refuse_compatibility_date(now: DateTime<Utc>, text: Option<&str>) -> Option<Answer> {
    let earliest = NaiveDate::from_ymd_opt(2020, 1, 1).expect("a constant date");
    let latest = (now - Duration::hours(11)).date_naive();
    let is_good =
        |text| NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok_and(|date| (earliest..=latest).contains(&date));
    text.filter(|text| !is_good(text)).map(|_| Answer::error(400, "Invalid compatibility date"))
}

fn refuse_list(bearer: &Bearer, character_id: CharacterId) -> Option<Answer> {
    match bearer {
        Bearer::Absent => Some(Answer::error(401, "Unauthorized - No token provided")),
        Bearer::Invalid => Some(Answer::error(401, "Unauthorized - Invalid token")),
        Bearer::Valid(token) if !token.scopes.iter().any(|scope| scope == LIST_SCOPE) => {
            Some(Answer::error(403, "Token is not valid for any required scope"))
        }
        // ESI's own words for this case are not on record.
        Bearer::Valid(token) if token.character_id != character_id => {
            Some(Answer::error(403, "Token is not valid for this character"))
        }
        Bearer::Valid(_) => None,
    }
}

/// 200 with a validator, or 304 when the caller holds the same content already.
fn conditional(body: String, if_none_match: Option<&str>) -> Answer {
    let digest = digest::digest(&digest::SHA256, body.as_bytes());
    let tag = format!("\"{}\"", hexadecimal(&digest.as_ref()[..20]));
    // A tag that comes back as a weak one is the same tag (RFC 9110, 13.1.2: weak comparison).
    let is_known = if_none_match.is_some_and(|known| {
        known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
    });
    let mut answer = if is_known { Answer::empty(304) } else { Answer::json(200, body) };
    answer.set("ETag", tag);
    answer
}
