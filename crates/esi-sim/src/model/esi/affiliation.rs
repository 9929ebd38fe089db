//! In which corporations characters are.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::Model;
use super::super::answer::Answer;
use super::super::ids::CharacterId;

/// OpenAPI: `minItems: 1, maxItems: 1000`.
const CHARACTERS: std::ops::RangeInclusive<usize> = 1..=1000;

impl Model {
    /// `POST /characters/affiliation`: "All characters must exist, or none will be returned".
    pub(in crate::model) fn affiliation(&self, body: &str) -> Answer {
        let Ok(character_ids) = serde_json::from_str::<Vec<CharacterId>>(body) else {
            return Answer::error(400, "The body must be an array of character ids");
        };
        let distinct: BTreeSet<_> = character_ids.iter().collect();
        if !CHARACTERS.contains(&character_ids.len()) || distinct.len() < character_ids.len() {
            return Answer::error(400, "The body must hold 1 to 1000 character ids, each once");
        }
        let rows: Option<Vec<_>> = character_ids
            .into_iter()
            .map(|character_id| {
                let corporation_id = self.world.character(character_id)?.corporation_id;
                Some(json!({ "character_id": character_id, "corporation_id": corporation_id }))
            })
            .collect();
        rows.map_or_else(
            || Answer::error(404, "Character not found"),
            |rows| Answer::json(200, json!(rows).to_string()),
        )
    }
}
