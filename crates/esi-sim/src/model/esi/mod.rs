//! ESI's routes: here details and status; [`lists`] and [`affiliation`] have the others.
//!
//! The rule: these functions only find the right answer. What it costs, and whether the caller may ask at all, is
//! decided around them in [`exchange`](super::exchange).

mod affiliation;
mod lists;

use chrono::{DateTime, Duration, NaiveDate, TimeDelta, Utc};
use ring::digest;
use serde_json::json;

use super::Model;
use super::answer::Answer;
use super::http_date::http_date;
use super::ids::KillmailId;
use super::killmail::hexadecimal;

/// The detail route's `max-age`: a killmail never changes.
const DETAIL_TTL_SECONDS: i64 = 2_592_000;
const STATUS_TTL_SECONDS: i64 = 30;

impl Model {
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
