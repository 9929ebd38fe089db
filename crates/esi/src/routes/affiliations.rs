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
