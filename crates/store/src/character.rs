//! Characters as an operator lists and removes them.

mod postgres;
mod sqlite;

use chrono::{DateTime, Utc};
use domain::CharacterId;
use serde::Serialize;

use crate::access::dialect;
use crate::{Store, StoreError};

#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct CharacterListed {
    pub character_id: i64,
    pub character_name: String,
    pub needs_login: bool,
    pub streams: i64,
    pub last_synced_at: Option<DateTime<Utc>>,
    pub next_sync_at: DateTime<Utc>,
    pub killmails_listed: i64,
    pub last_verdict: Option<String>,
    pub last_reason: Option<String>,
}

/// What has gone with a character.
#[derive(Debug, PartialEq, Eq)]
pub struct CharacterRemoved {
    pub character_name: String,
    pub streams: u64,
}

impl Store {
    /// # Errors
    /// When the database does not answer.
    pub async fn has_character(&self, character_id: CharacterId) -> Result<bool, StoreError> {
        dialect!(self.read("looking for a character").await?, exists(character_id))
    }

    /// All characters by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn characters(&self) -> Result<Vec<CharacterListed>, StoreError> {
        dialect!(self.read("listing the characters").await?, list())
    }

    /// Removes a character with its token streams, its list and the records of its walks. Killmails stay, also those that
    /// are still wanted. None when there is no such character.
    ///
    /// # Errors
    /// When the database does not answer: nothing is removed.
    pub async fn remove_character(&self, character_id: CharacterId) -> Result<Option<CharacterRemoved>, StoreError> {
        let mut transaction = self.transaction("removing a character").await?;
        // The streams first: what goes with the character itself is not counted.
        let streams = dialect!(transaction, remove_streams(character_id))?;
        let Some(character_name) = dialect!(transaction, remove(character_id))? else { return Ok(None) };
        transaction.commit().await?;
        Ok(Some(CharacterRemoved { character_name, streams }))
    }
}
