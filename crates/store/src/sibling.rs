//! What a sibling service is given: an access token of a stream that holds the scopes it asks for.

mod postgres;
mod sqlite;

use chrono::{DateTime, Utc};
use domain::{CharacterId, TokenStreamId};
use secrecy::SecretString;

use crate::access::dialect;
use crate::seal::{Keyring, TokenColumn};
use crate::token_stream::{StreamRow, StreamsNow};
use crate::{Store, StoreError};

/// An access token with what its stream says of it.
#[derive(Debug)]
pub struct TokenToIssue {
    pub token_stream_id: TokenStreamId,
    pub secret: SecretString,
    pub expires_at: DateTime<Utc>,
    /// All that it was granted, but for those that ESI has refused.
    pub scopes: Vec<String>,
    /// On the database's clock, which `expires_at` is held against.
    pub now: DateTime<Utc>,
}

impl Store {
    /// As [`Store::streams_of`], but what a stream may lack are these scopes; one that ESI has refused is lacking.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn streams_with_scopes(
        &self,
        character_id: CharacterId,
        scopes: &[String],
    ) -> Result<StreamsNow, StoreError> {
        let now = self.now().await?;
        let rows: Vec<StreamRow> =
            dialect!(self.read("loading token streams").await?, streams_with_scopes(character_id, scopes))?;
        let streams = rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(StreamsNow { streams, now })
    }

    /// The access token of a stream, opened, with what was granted with it; none when there is none any more.
    ///
    /// # Errors
    /// When the database does not answer, or the token does not open ([`StoreError::Seal`]).
    pub async fn token_to_issue(
        &self,
        keyring: &Keyring,
        token_stream_id: TokenStreamId,
    ) -> Result<Option<TokenToIssue>, StoreError> {
        let now = self.now().await?;
        let row = dialect!(self.read("reading an access token").await?, token_to_issue(token_stream_id))?;
        let Some(TokenRow { access_token_sealed, expires_at, scopes }) = row else { return Ok(None) };
        let secret = keyring.open(token_stream_id, TokenColumn::Access, &access_token_sealed)?;
        Ok(Some(TokenToIssue { token_stream_id, secret, expires_at, scopes, now }))
    }
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    access_token_sealed: Vec<u8>,
    expires_at: DateTime<Utc>,
    #[sqlx(json)]
    scopes: Vec<String>,
}
