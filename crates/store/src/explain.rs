//! Everything that the rows say of one character, for an operator who asks why. Never a token.

mod postgres;
mod sqlite;

use chrono::{DateTime, Utc};
use domain::CharacterId;
use domain::token::Stream;
use serde::Serialize;

use crate::access::dialect;
use crate::{Store, StoreError};

/// Of the records of its walks only the last ones are shown.
const RUNS_SHOWN: i64 = 5;

#[derive(Debug, Serialize)]
pub struct Explained {
    #[serde(flatten)]
    pub character: CharacterRow,
    pub streams: Vec<StreamRow>,
    /// The last walks of its list, the newest first.
    pub last_runs: Vec<RunRow>,
    /// The same streams as the rules see them.
    #[serde(skip)]
    pub rules: Vec<Stream>,
    /// On the database's clock.
    pub now: DateTime<Utc>,
}

/// The character, the job of its list, and the killmails that it has shown.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct CharacterRow {
    pub character_id: i64,
    pub character_name: String,
    pub created_at: DateTime<Utc>,
    pub next_sync_at: DateTime<Utc>,
    pub list_expires_at: Option<DateTime<Utc>>,
    pub resume_page: Option<i32>,
    pub hinted_at: Option<DateTime<Utc>>,
    pub lease_until: Option<DateTime<Utc>>,
    pub attempt: i32,
    pub last_synced_at: Option<DateTime<Utc>>,
    pub last_verdict: Option<String>,
    pub last_reason: Option<String>,
    pub last_verdict_at: Option<DateTime<Utc>>,
    pub killmails_listed: i64,
    pub killmails_stored: i64,
    pub killmails_wanted: i64,
    pub killmails_invalid: i64,
    pub killmails_parked: i64,
    pub newest_killmail_time: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct StreamRow {
    pub token_stream_id: i64,
    pub state: String,
    pub has_access_token: bool,
    pub has_refresh_token: bool,
    pub expires_at: Option<DateTime<Utc>>,
    #[sqlx(json)]
    pub granted_scopes: Vec<String>,
    pub strikes: i32,
    pub first_refused_at: Option<DateTime<Utc>>,
    pub next_probe_at: Option<DateTime<Utc>>,
    pub last_error_code: Option<String>,
    pub last_error: Option<String>,
    pub last_error_at: Option<DateTime<Utc>>,
    pub last_refreshed_at: Option<DateTime<Utc>>,
    /// Of a refresh: under way, or, in the past, one whose answer was lost.
    pub lease_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct RunRow {
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub verdict: String,
    pub reason: Option<String>,
    pub pages: i32,
    pub references_new: i32,
}

impl Store {
    /// None when there is no such character.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn explain(&self, character_id: CharacterId) -> Result<Option<Explained>, StoreError> {
        let mut access = self.read("explaining a character").await?;
        let Some(character) = dialect!(access, character(character_id))? else { return Ok(None) };
        let streams = dialect!(access, streams(character_id))?;
        let last_runs = dialect!(access, runs(character_id, RUNS_SHOWN))?;
        // Its connection is free before the next one is asked for.
        drop(access);
        let rules = self.streams_of(character_id).await?;
        Ok(Some(Explained { character, streams, last_runs, rules: rules.streams, now: rules.now }))
    }
}
