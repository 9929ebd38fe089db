//! Whose killmail list.

use super::ids::{CharacterId, CorporationId};

/// A character or a corporation: their lists are cached, paged and counted alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListOwner {
    /// Read with a token of that character.
    Character(CharacterId),
    /// Read with a token of one of its directors.
    Corporation(CorporationId),
}
