//! Names of things: a newtype for every id, and for text that has rules. The constructor parses; there is no other
//! way in.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a number or a text is not one of our ids.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InvalidId {
    /// EVE ids and our row ids start at 1.
    #[error("{kind} must be a positive number, not {value}")]
    NotPositive { kind: &'static str, value: i64 },
    /// ESI writes hashes as 40 lower-case hexadecimal digits.
    #[error("a killmail hash is 40 lower-case hexadecimal digits")]
    NotAHash,
}

macro_rules! positive_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// # Errors
            /// [`InvalidId::NotPositive`] for zero and below.
            pub fn parse(value: i64) -> Result<Self, InvalidId> {
                if value > 0 { Ok(Self(value)) } else { Err(InvalidId::NotPositive { kind: $kind, value }) }
            }

            /// The number as ESI and the database write it.
            #[must_use]
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = InvalidId;
            fn try_from(value: i64) -> Result<Self, InvalidId> {
                Self::parse(value)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> i64 {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

positive_id!(
    /// A pilot. Character ids reach 2,129,999,999 today; 64 bits leave room (ESI declares int64).
    CharacterId,
    "a character id"
);
positive_id!(
    /// A corporation.
    CorporationId,
    "a corporation id"
);
positive_id!(
    /// A killmail, as numbered by CCP.
    KillmailId,
    "a killmail id"
);
positive_id!(
    /// One login of one character: our own row id.
    TokenStreamId,
    "a token stream id"
);

impl CorporationId {
    /// The ids of the game's own corporations (EVE's id ranges). Nobody is their director, and ESI refuses their lists.
    pub const NPC: RangeInclusive<i64> = 1_000_000..=1_999_999;

    /// Whether it is one of the game's own.
    #[must_use]
    pub fn is_npc(self) -> bool {
        Self::NPC.contains(&self.0)
    }
}

/// The 40 hexadecimal digits that ESI wants beside a killmail id before it shows the body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KillmailHash(String);

impl KillmailHash {
    /// # Errors
    /// [`InvalidId::NotAHash`] unless the text is 40 lower-case hexadecimal digits.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
        let text = text.into();
        let is_hash = text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash { Ok(Self(text)) } else { Err(InvalidId::NotAHash) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KillmailHash {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(text)
    }
}

impl From<KillmailHash> for String {
    fn from(hash: KillmailHash) -> String {
        hash.0
    }
}

impl fmt::Display for KillmailHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One row of a killmail list: enough to ask for the body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KillmailRef {
    pub killmail_id: KillmailId,
    pub killmail_hash: KillmailHash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_positive() {
        assert_eq!(CharacterId::parse(90_000_001).map(CharacterId::get), Ok(90_000_001));
        for value in [0, -1, i64::MIN] {
            assert_eq!(KillmailId::parse(value), Err(InvalidId::NotPositive { kind: "a killmail id", value }));
        }
    }

    #[test]
    fn the_games_own_corporations_are_told_by_their_ids() {
        let is_npc = |id| CorporationId::parse(id).unwrap().is_npc();
        assert_eq!(
            [999_999, 1_000_000, 1_999_999, 2_000_000, 98_000_001].map(is_npc),
            [false, true, true, false, false]
        );
    }

    #[test]
    fn hashes_are_forty_lower_case_hexadecimal_digits() {
        assert!(KillmailHash::parse("8eef5e8fb6b88fe3407c489df33822b2e3b57a5e").is_ok());
        for text in ["", "8eef", "8EEF5E8FB6B88FE3407C489DF33822B2E3B57A5E", "zzef5e8fb6b88fe3407c489df33822b2e3b57a5e"]
        {
            assert_eq!(KillmailHash::parse(text), Err(InvalidId::NotAHash), "{text:?}");
        }
    }
}
