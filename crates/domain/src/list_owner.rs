//! Whose killmail list: a character's or a corporation's. Both are walked, saved and put off alike.

use std::fmt;

use crate::ids::{CharacterId, CorporationId};
use crate::token::{CORPORATION_LIST_SCOPE, LIST_SCOPE};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListOwner {
    /// Read with a token of that character.
    Character(CharacterId),
    /// Read with a token of any member who is a director of it.
    Corporation(CorporationId),
}

impl ListOwner {
    /// What a login must have been granted for this list to be read (ESI's specification).
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self {
            Self::Character(_) => LIST_SCOPE,
            Self::Corporation(_) => CORPORATION_LIST_SCOPE,
        }
    }

    /// The number as ESI and the database write it.
    #[must_use]
    pub fn id(self) -> i64 {
        match self {
            Self::Character(character_id) => character_id.get(),
            Self::Corporation(corporation_id) => corporation_id.get(),
        }
    }
}

impl fmt::Display for ListOwner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character(character_id) => write!(formatter, "character {character_id}"),
            Self::Corporation(corporation_id) => write!(formatter, "corporation {corporation_id}"),
        }
    }
}

impl From<CharacterId> for ListOwner {
    fn from(character_id: CharacterId) -> Self {
        Self::Character(character_id)
    }
}

impl From<CorporationId> for ListOwner {
    fn from(corporation_id: CorporationId) -> Self {
        Self::Corporation(corporation_id)
    }
}

/// In which corporation a character is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Affiliation {
    pub character_id: CharacterId,
    pub corporation_id: CorporationId,
}
