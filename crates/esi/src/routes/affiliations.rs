//! In which corporations characters are.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Affiliation, CharacterId, CorporationId};
use serde::Deserialize;

use crate::http::answer::RawAnswer;

/// Of so many characters a request may speak (ESI's specification).
pub const AFFILIATIONS_MAX: usize = 1000;

/// A row may also name an alliance and a faction, which nobody here asks about.
#[derive(Deserialize)]
struct Row {
    character_id: CharacterId,
    corporation_id: CorporationId,
}

/// Rows of characters that were not asked for are left out: they are nobody's.
pub(super) fn read(raw: &RawAnswer, asked_for: &BTreeSet<CharacterId>) -> Result<Vec<Affiliation>, String> {
    let rows: Vec<Row> =
        serde_json::from_slice(raw.whole_body()?).map_err(|error| format!("not a list of affiliations: {error}"))?;
    let rows = rows.into_iter().filter(|row| asked_for.contains(&row.character_id));
    let by_character: BTreeMap<_, _> = rows.map(|row| (row.character_id, row.corporation_id)).collect();
    let affiliation = |(character_id, corporation_id)| Affiliation { character_id, corporation_id };
    Ok(by_character.into_iter().map(affiliation).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderMap;

    use super::*;

    fn affiliations(body: &str, asked_for: &BTreeSet<CharacterId>) -> Result<Vec<(i64, i64)>, String> {
        let read = read(&RawAnswer::of(HeaderMap::new(), body.as_bytes()), asked_for)?;
        Ok(read.into_iter().map(|row| (row.character_id.get(), row.corporation_id.get())).collect())
    }

    proptest! {
        #[test]
        fn those_who_were_asked_for_are_read_and_nobody_else(
            rows in prop::collection::vec((1..30_i64, 1..i64::MAX), 0..40),
            asked_for in prop::collection::btree_set(1..30_i64, 0..30),
        ) {
            let row = |(character, corporation): &(i64, i64)| {
                format!(r#"{{"alliance_id":1,"character_id":{character},"corporation_id":{corporation}}}"#)
            };
            let body = format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(","));
            // A later row about the same character counts.
            let mut expected: BTreeMap<i64, i64> = rows.into_iter().collect();
            expected.retain(|character, _| asked_for.contains(character));
            let asked_for = asked_for.into_iter().map(|id| CharacterId::parse(id).unwrap()).collect();
            prop_assert_eq!(affiliations(&body, &asked_for), Ok(expected.into_iter().collect()));
            prop_assert!(affiliations(&body[..body.len() - 1], &asked_for).is_err());
        }

        #[test]
        fn whatever_else_comes_tells_of_nobody(text in any::<String>()) {
            prop_assert!(affiliations(&text, &BTreeSet::new()).is_err() || text.trim() == "[]");
        }
    }
}
