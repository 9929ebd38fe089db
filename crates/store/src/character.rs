//! Characters as an operator lists them.

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
}
