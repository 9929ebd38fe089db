//! How a token comes in: a login adds a stream and never touches another.

mod import;
mod postgres;
mod sqlite;

use domain::token::{StreamState, TokenEvent};
use domain::{CharacterId, TokenStreamId};
pub use import::{Imported, KeptLogin};
use secrecy::{ExposeSecret, SecretString};

use crate::access::{Access, dialect};
use crate::refresh_job::Granted;
use crate::seal::{Keyring, TokenColumn};
use crate::{Store, StoreError, token_event, token_stream};

/// What came of bringing in a refresh token.
#[derive(Debug, PartialEq, Eq)]
pub enum LoginStart {
    /// A new stream.
    Added(TokenStreamId),
    /// This very refresh token is stored already: a second stream with it would rotate it away under the first.
    AlreadyStored(TokenStreamId),
}

impl Store {
    /// Stores the refresh token, sealed, before it is used for the first time: if the provider answers with another
    /// one and we die, the row tells. The character is added if it is not there. A new stream has no access token yet:
    /// refresh it, then keep or abandon it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_login(
        &self,
        keyring: &Keyring,
        character_id: CharacterId,
        character_name: &str,
        refresh_token: &SecretString,
    ) -> Result<LoginStart, StoreError> {
        let mut transaction = self.transaction("storing a login").await?;
        let start = add_or_find(&mut transaction, keyring, character_id, character_name, refresh_token).await?;
        transaction.commit().await?;
        Ok(start)
    }

    /// Stores a login that comes with a verified access token, all at once, and makes its character due. A refresh token
    /// that is stored already is as good as new by this: the provider has just given it again.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn store_login(
        &self,
        keyring: &Keyring,
        character_id: CharacterId,
        character_name: &str,
        refresh_token: &SecretString,
        granted: &Granted<'_>,
    ) -> Result<LoginStart, StoreError> {
        let mut transaction = self.transaction("storing a login").await?;
        let start = add_or_find(&mut transaction, keyring, character_id, character_name, refresh_token).await?;
        let (LoginStart::Added(token_stream_id) | LoginStart::AlreadyStored(token_stream_id)) = start;
        let before = token_stream::state(&dialect!(transaction, lock_state(token_stream_id))?)?;
        let sealed = keyring.seal(token_stream_id, TokenColumn::Access, granted.access_token);
        dialect!(transaction, set_access_token(token_stream_id, granted, &sealed))?;
        token_event::record(&mut transaction, token_stream_id, TokenEvent::Refreshed).await?;
        token_event::record_change(&mut transaction, token_stream_id, before, StreamState::Active).await?;
        dialect!(transaction, make_due(character_id, character_name))?;
        transaction.commit().await?;
        Ok(start)
    }

    /// A verified login makes its character due at once, whatever it was waiting for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn complete_login(&self, character_id: CharacterId, character_name: &str) -> Result<(), StoreError> {
        let mut access = self.change("completing a login").await?;
        dialect!(access, make_due(character_id, character_name))?;
        access.commit().await
    }

    /// Takes back a login that turned out not to be one: the stream goes, and the character too if it has no other.
    /// False, and nothing is taken back, when the stream has had an access token, or when the provider has replaced
    /// its refresh token or may just be doing so: ours may then be the only one that is still good.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn abandon_login(&self, token_stream_id: TokenStreamId) -> Result<bool, StoreError> {
        let mut transaction = self.transaction("taking back a login").await?;
        let character_id = dialect!(transaction, delete_unused_stream(token_stream_id))?;
        if let Some(character_id) = character_id {
            let abandoned = TokenEvent::LoginAbandoned;
            token_event::record_gone(&mut transaction, token_stream_id, character_id, abandoned).await?;
            dialect!(transaction, delete_character_without_stream(character_id))?;
        }
        transaction.commit().await?;
        Ok(character_id.is_some())
    }
}

async fn add_or_find(
    transaction: &mut Access,
    keyring: &Keyring,
    character_id: CharacterId,
    character_name: &str,
    refresh_token: &SecretString,
) -> Result<LoginStart, StoreError> {
    dialect!(*transaction, add_character(character_id, character_name))?;
    for stored in dialect!(*transaction, refresh_tokens(character_id))? {
        let token_stream_id = TokenStreamId::parse(stored.token_stream_id).map_err(StoreError::unexpected)?;
        // One that does not open cannot be compared, and must not stand in the way of a new login.
        let token = keyring.open(token_stream_id, TokenColumn::Refresh, &stored.refresh_token_sealed);
        if token.is_ok_and(|token| token.expose_secret() == refresh_token.expose_secret()) {
            return Ok(LoginStart::AlreadyStored(token_stream_id));
        }
    }
    // The seal is bound to the row, so there has to be a row first.
    let added = dialect!(*transaction, add_stream(character_id))?;
    let token_stream_id = TokenStreamId::parse(added).map_err(StoreError::unexpected)?;
    let sealed = keyring.seal(token_stream_id, TokenColumn::Refresh, refresh_token);
    dialect!(*transaction, set_refresh_token(token_stream_id, &sealed))?;
    token_event::record(transaction, token_stream_id, TokenEvent::SignedIn).await?;
    Ok(LoginStart::Added(token_stream_id))
}

#[derive(sqlx::FromRow)]
struct StoredToken {
    token_stream_id: i64,
    refresh_token_sealed: Vec<u8>,
}
