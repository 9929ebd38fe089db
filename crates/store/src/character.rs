//! Characters as an operator lists them.

use chrono::{DateTime, Utc};
use domain::CharacterId;
use serde::Serialize;

use crate::{Store, StoreError};

#[derive(Debug, Serialize)]
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
        sqlx::query_scalar!(
            r#"select exists (select from character where character_id = $1) as "exists!""#,
            character_id.get()
        )
        .fetch_one(&self.pool)
        .await
        .map_err(StoreError::during("looking for a character"))
    }

    /// All characters by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn characters(&self) -> Result<Vec<CharacterListed>, StoreError> {
        sqlx::query_as!(
            CharacterListed,
            r#"select f.character_id as "character_id!", f.character_name as "character_name!",
                      u.needs_login as "needs_login!", f.last_synced_at, f.next_sync_at as "next_sync_at!",
                      f.killmails_listed as "killmails_listed!", f.last_verdict, f.last_reason,
                      (select count(*) from token_stream s where s.character_id = f.character_id) as "streams!"
               from sync_freshness f join "user" u using (character_id)
               order by f.character_name, f.character_id"#
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::during("listing the characters"))
    }
}
