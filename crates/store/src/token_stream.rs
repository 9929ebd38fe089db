//! Token streams as the rules see them: without their tokens.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::token::{Health, Stream, StreamState};
use domain::{CharacterId, TokenStreamId};
use secrecy::SecretString;

use crate::seal::{Keyring, TokenColumn};
use crate::{Store, StoreError};

/// The streams of one character at one moment of the database's clock.
#[derive(Debug, Clone)]
pub struct StreamsNow {
    pub streams: Vec<Stream>,
    pub now: DateTime<Utc>,
}

struct StreamRow {
    token_stream_id: i64,
    character_id: i64,
    state: String,
    has_access_token: bool,
    has_refresh_token: bool,
    expires_at: Option<DateTime<Utc>>,
    strikes: i32,
    first_refused_at: Option<DateTime<Utc>>,
    next_probe_at: Option<DateTime<Utc>>,
}

impl TryFrom<StreamRow> for Stream {
    type Error = StoreError;
    fn try_from(row: StreamRow) -> Result<Self, StoreError> {
        Ok(Self {
            token_stream_id: TokenStreamId::parse(row.token_stream_id).map_err(StoreError::unexpected)?,
            health: health(&row.state, row.strikes, row.first_refused_at, row.next_probe_at)?,
            has_access_token: row.has_access_token,
            has_refresh_token: row.has_refresh_token,
            expires_at: row.expires_at,
        })
    }
}

pub(crate) fn health(
    state: &str,
    strikes: i32,
    first_refused_at: Option<DateTime<Utc>>,
    next_probe_at: Option<DateTime<Utc>>,
) -> Result<Health, StoreError> {
    let state = StreamState::from_name(state)
        .ok_or_else(|| StoreError::unexpected(format!("a token stream in the state {state:?}")))?;
    Ok(Health {
        state,
        strikes: u32::try_from(strikes).map_err(StoreError::unexpected)?,
        first_refused_at,
        next_probe_at,
    })
}

impl Store {
    /// # Errors
    /// When the database does not answer.
    pub async fn streams_of(&self, character_id: CharacterId) -> Result<StreamsNow, StoreError> {
        let now = self.now().await?;
        let streams = self.streams_of_all(&[character_id]).await?.remove(&character_id).unwrap_or_default();
        Ok(StreamsNow { streams, now })
    }

    pub(crate) async fn streams_of_all(
        &self,
        character_ids: &[CharacterId],
    ) -> Result<HashMap<CharacterId, Vec<Stream>>, StoreError> {
        let ids: Vec<i64> = character_ids.iter().map(|id| id.get()).collect();
        let rows = sqlx::query_as!(
            StreamRow,
            r#"select token_stream_id, character_id, state, access_token_sealed is not null as "has_access_token!",
                      refresh_token_sealed is not null as "has_refresh_token!", expires_at, strikes,
                      first_refused_at, next_probe_at
               from token_stream where character_id = any($1)"#,
            &ids
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::during("loading token streams"))?;
        let mut streams: HashMap<CharacterId, Vec<Stream>> = HashMap::new();
        for row in rows {
            let character_id = CharacterId::parse(row.character_id).map_err(StoreError::unexpected)?;
            streams.entry(character_id).or_default().push(row.try_into()?);
        }
        Ok(streams)
    }

    /// The access token of a stream, opened; none when there is none any more.
    ///
    /// # Errors
    /// When the database does not answer, or the token does not open.
    pub async fn access_token(
        &self,
        keyring: &Keyring,
        token_stream_id: TokenStreamId,
    ) -> Result<Option<SecretString>, StoreError> {
        let sealed = sqlx::query_scalar!(
            "select access_token_sealed from token_stream where token_stream_id = $1",
            token_stream_id.get()
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::during("reading an access token"))?
        .flatten();
        Ok(sealed.map(|sealed| keyring.open(token_stream_id, TokenColumn::Access, &sealed)).transpose()?)
    }
}
