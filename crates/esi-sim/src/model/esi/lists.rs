//! The killmail lists of characters and of corporations, and who may read them.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::Model;
use super::super::access_token::{AccessToken, Bearer, CORPORATION_SCOPE, LIST_SCOPE};
use super::super::answer::Answer;
use super::super::http_date::http_date;
use super::super::ids::{CharacterId, CorporationId};
use super::super::list_owner::ListOwner;
use super::super::request::page_number;
use super::conditional;

impl Model {
    /// `GET /characters/{character_id}/killmails/recent`, and the same of a corporation.
    pub(in crate::model) fn list(
        &mut self,
        now: DateTime<Utc>,
        bearer: &Bearer,
        owner: ListOwner,
        page: Option<&str>,
        if_none_match: Option<&str>,
    ) -> Answer {
        if let Some(refusal) = self.refuse_list(bearer, owner) {
            return refusal;
        }
        let Some(page) = page_number(page) else {
            return Answer::error(400, "Invalid value for query parameter page");
        };
        let (copy, was_cached) = self.lists.look_up(now, owner, || self.world.list(owner).into_iter().rev().collect());
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

    fn refuse_list(&self, bearer: &Bearer, owner: ListOwner) -> Option<Answer> {
        let token = match bearer {
            Bearer::Absent => return Some(Answer::error(401, "Unauthorized - No token provided")),
            Bearer::Invalid => return Some(Answer::error(401, "Unauthorized - Invalid token")),
            Bearer::Valid(token) => token,
        };
        let scope = match owner {
            ListOwner::Character(_) => LIST_SCOPE,
            ListOwner::Corporation(_) => CORPORATION_SCOPE,
        };
        if !token.scopes.iter().any(|granted| granted == scope) {
            return Some(Answer::error(403, "Token is not valid for any required scope"));
        }
        match owner {
            ListOwner::Character(character_id) => self.refuse_character_list(token, character_id),
            ListOwner::Corporation(corporation_id) => self.refuse_corporation_list(token, corporation_id),
        }
    }

    fn refuse_character_list(&self, token: &AccessToken, character_id: CharacterId) -> Option<Answer> {
        if token.character_id != character_id {
            // ESI's own words for this case are not on record.
            return Some(Answer::error(403, "Token is not valid for this character"));
        }
        // The token may be older than this world.
        self.world.character(character_id).is_none().then(|| Answer::error(404, "Character not found"))
    }

    /// Nobody is director of a corporation of the game itself.
    fn refuse_corporation_list(&self, token: &AccessToken, corporation_id: CorporationId) -> Option<Answer> {
        let character = self.world.character(token.character_id);
        match character.filter(|character| character.corporation_id == corporation_id) {
            None => Some(Answer::error(403, "Character is not in the corporation")),
            Some(member) if !member.is_director || corporation_id.is_npc() => {
                Some(Answer::error(403, "Character does not have required role(s)"))
            }
            Some(_) => None,
        }
    }
}
