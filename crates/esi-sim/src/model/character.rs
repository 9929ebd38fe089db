//! A simulated character: the pilots whose owners have signed in.

use std::collections::BTreeSet;

use super::ids::{CharacterId, CorporationId, KillmailId};

/// One character.
#[derive(Debug, Clone)]
pub struct Character {
    /// Its id.
    pub character_id: CharacterId,
    /// Its name.
    pub name: String,
    /// Its corporation.
    pub corporation_id: CorporationId,
    /// Whether it may read the list of its corporation.
    pub is_director: bool,
    /// Base64 of 20 bytes; another one after the character moved to another account.
    pub owner: String,
    /// What is truly on its list, seen or not yet seen through the cache.
    pub killmail_ids: BTreeSet<KillmailId>,
}

/// Nobody has this id.
#[derive(Debug, thiserror::Error)]
#[error("there is no character {0}")]
pub struct UnknownCharacter(
    /// The id that was asked for.
    pub CharacterId,
);
