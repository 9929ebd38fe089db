//! Token streams as the rules see them: without their tokens.

mod postgres;
mod sqlite;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::token::{Health, LIST_SCOPE, Stream, StreamState, TokenEvent};
use domain::{CharacterId, TokenStreamId};
use secrecy::SecretString;

use crate::access::dialect;
use crate::seal::{Keyring, SealError, TokenColumn};
use crate::{Store, StoreError, token_event};

/// An access token on its way to ESI.
#[derive(Debug)]
pub struct AccessToken {
    pub token_stream_id: TokenStreamId,
    pub secret: SecretString,
    /// Identifies it in its row, also after it was sealed anew with another key. No two tokens of a stream end at the
    /// same microsecond; if they did, a good one would be renewed a little early.
    pub(crate) expires_at: DateTime<Utc>,
}

impl AccessToken {
    pub(crate) fn stored(token_stream_id: TokenStreamId, secret: SecretString, expires_at: DateTime<Utc>) -> Self {
        Self { token_stream_id, secret, expires_at }
    }
}

#[derive(sqlx::FromRow)]
struct SealedToken {
    access_token_sealed: Vec<u8>,
    expires_at: DateTime<Utc>,
}

/// The streams of one character at one moment of the database's clock.
#[derive(Debug, Clone)]
pub struct StreamsNow {
    pub streams: Vec<Stream>,
    pub now: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct StreamRow {
    pub(crate) token_stream_id: i64,
    pub(crate) character_id: i64,
    pub(crate) state: String,
    pub(crate) has_access_token: bool,
    pub(crate) has_refresh_token: bool,
    pub(crate) lacks_scope: bool,
    pub(crate) last_error_at: Option<DateTime<Utc>>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) strikes: i32,
    pub(crate) first_refused_at: Option<DateTime<Utc>>,
    pub(crate) next_probe_at: Option<DateTime<Utc>>,
}

impl TryFrom<StreamRow> for Stream {
    type Error = StoreError;
    fn try_from(row: StreamRow) -> Result<Self, StoreError> {
        Ok(Self {
            token_stream_id: TokenStreamId::parse(row.token_stream_id).map_err(StoreError::unexpected)?,
            health: health(&row.state, row.strikes, row.first_refused_at, row.next_probe_at)?,
            has_access_token: row.has_access_token,
            has_refresh_token: row.has_refresh_token,
            lacks_scope: row.lacks_scope,
            last_error_at: row.last_error_at,
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
    Ok(Health {
        state: self::state(state)?,
        strikes: u32::try_from(strikes).map_err(StoreError::unexpected)?,
        first_refused_at,
        next_probe_at,
    })
}

pub(crate) fn state(name: &str) -> Result<StreamState, StoreError> {
    StreamState::from_name(name).ok_or_else(|| StoreError::unexpected(format!("a token stream in the state {name:?}")))
}

impl Store {
    /// For the character's own list.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn streams_of(&self, character_id: CharacterId) -> Result<StreamsNow, StoreError> {
        self.streams_for(character_id, LIST_SCOPE).await
    }

    /// What the streams may lack is this scope.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn streams_for(&self, character_id: CharacterId, scope: &str) -> Result<StreamsNow, StoreError> {
        let now = self.now().await?;
        let streams = self.streams_of_all(&[character_id], scope).await?.remove(&character_id).unwrap_or_default();
        Ok(StreamsNow { streams, now })
    }

    pub(crate) async fn streams_of_all(
        &self,
        character_ids: &[CharacterId],
        scope: &str,
    ) -> Result<HashMap<CharacterId, Vec<Stream>>, StoreError> {
        let ids: Vec<i64> = character_ids.iter().map(|id| id.get()).collect();
        let rows = dialect!(self.read("loading token streams").await?, streams(&ids, scope))?;
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
    /// When the database does not answer, or the token does not open ([`StoreError::Seal`]).
    pub async fn access_token(
        &self,
        keyring: &Keyring,
        token_stream_id: TokenStreamId,
    ) -> Result<Option<AccessToken>, StoreError> {
        let row = dialect!(self.read("reading an access token").await?, access_token(token_stream_id))?;
        let Some(SealedToken { access_token_sealed, expires_at }) = row else { return Ok(None) };
        let secret = keyring.open(token_stream_id, TokenColumn::Access, &access_token_sealed)?;
        Ok(Some(AccessToken::stored(token_stream_id, secret, expires_at)))
    }

    /// ESI does not take this access token, however long it has to live: it is removed if it still stands there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn discard_access_token(&self, token: &AccessToken) -> Result<(), StoreError> {
        let mut access = self.change("discarding an access token").await?;
        dialect!(access, discard_access_token(token))?;
        access.commit().await
    }

    /// Remembers that ESI refuses a scope that the login was granted. For a day the stream counts as one without it; no
    /// refresh takes that back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refuse_scope(&self, token: &AccessToken, scope: &str) -> Result<(), StoreError> {
        let mut transaction = self.transaction("recording a refused scope").await?;
        dialect!(transaction, refuse_scope(token.token_stream_id, scope))?;
        token_event::record(&mut transaction, token.token_stream_id, TokenEvent::ScopeRefused { scope }).await?;
        transaction.commit().await
    }

    /// Remembers that ESI has taken an access token for this scope: if it had refused it, it does so no more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record_accepted(&self, token: &AccessToken, scope: &str) -> Result<(), StoreError> {
        let mut access = self.change("recording that an access token was used").await?;
        let was_refused = dialect!(access, set_used(token.token_stream_id, scope))?;
        access.commit().await?;
        if !was_refused {
            return Ok(());
        }
        let mut transaction = self.transaction("recording a scope that is taken again").await?;
        dialect!(transaction, accept_scope(token.token_stream_id, scope))?;
        token_event::record(&mut transaction, token.token_stream_id, TokenEvent::ScopeAccepted { scope }).await?;
        transaction.commit().await
    }

    /// Remembers that a token of this stream does not open with our keys.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record_unopenable(&self, token_stream_id: TokenStreamId, why: &SealError) -> Result<(), StoreError> {
        let mut access = self.change("recording a token that does not open").await?;
        dialect!(access, record_unopenable(token_stream_id, &why.to_string()))?;
        access.commit().await
    }
}
