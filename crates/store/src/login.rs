//! How a token comes in: a login adds a stream and never touches another.

use domain::{CharacterId, TokenStreamId};
use secrecy::{ExposeSecret, SecretString};

use crate::seal::{Keyring, TokenColumn};
use crate::{Store, StoreError};

/// What came of bringing in a refresh token.
#[derive(Debug, PartialEq, Eq)]
pub enum LoginStart {
    /// A new stream, without an access token yet: refresh it, then keep or abandon it.
    Added(TokenStreamId),
    /// This very refresh token is stored already: a second stream with it would rotate it away under the first.
    AlreadyStored(TokenStreamId),
}

impl Store {
    /// Stores the refresh token, sealed, before it is used for the first time: if the provider answers with another
    /// one and we die, the row tells. The character is added if it is not there.
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
        let doing = "storing a login";
        let mut transaction = self.pool.begin().await.map_err(StoreError::during(doing))?;
        // Updating the name to itself locks the row: two logins of one character at once see each other's stream.
        sqlx::query!(
            r#"insert into character (character_id, character_name) values ($1, $2)
               on conflict (character_id) do update set character_name = character.character_name"#,
            character_id.get(),
            character_name
        )
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        let stored = sqlx::query!(
            r#"select token_stream_id, refresh_token_sealed as "refresh_token_sealed!" from token_stream
               where character_id = $1 and refresh_token_sealed is not null"#,
            character_id.get()
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        for row in stored {
            let token_stream_id = TokenStreamId::parse(row.token_stream_id).map_err(StoreError::unexpected)?;
            // One that does not open cannot be compared, and must not stand in the way of a new login.
            let token = keyring.open(token_stream_id, TokenColumn::Refresh, &row.refresh_token_sealed);
            if token.is_ok_and(|token| token.expose_secret() == refresh_token.expose_secret()) {
                return Ok(LoginStart::AlreadyStored(token_stream_id));
            }
        }
        let row_id = sqlx::query_scalar!(
            "insert into token_stream (character_id) values ($1) returning token_stream_id",
            character_id.get()
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        let token_stream_id = TokenStreamId::parse(row_id).map_err(StoreError::unexpected)?;
        sqlx::query!(
            "update token_stream set refresh_token_sealed = $2 where token_stream_id = $1",
            row_id,
            keyring.seal(token_stream_id, TokenColumn::Refresh, refresh_token)
        )
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        transaction.commit().await.map_err(StoreError::during(doing))?;
        Ok(LoginStart::Added(token_stream_id))
    }

    /// A verified login makes its character due at once, whatever it was waiting for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn complete_login(&self, character_id: CharacterId, character_name: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "update character set character_name = $2, next_sync_at = now() where character_id = $1",
            character_id.get(),
            character_name
        )
        .execute(&self.pool)
        .await
        .map_err(StoreError::during("completing a login"))?;
        Ok(())
    }

    /// Takes back a login that turned out not to be one: the stream goes, and the character too if it has no other.
    /// False, and nothing is taken back, when the stream has had an access token, or when the provider has replaced
    /// its refresh token or may just be doing so: ours may then be the only one that is still good.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn abandon_login(&self, token_stream_id: TokenStreamId) -> Result<bool, StoreError> {
        let doing = "taking back a login";
        let mut transaction = self.pool.begin().await.map_err(StoreError::during(doing))?;
        // Locked before anything is deleted, in a statement of its own: a login of the same character that is just being
        // stored must be seen by the question below.
        sqlx::query!(
            r#"select c.character_id from character c join token_stream s using (character_id)
               where s.token_stream_id = $1 for update of c"#,
            token_stream_id.get()
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        let character_id = sqlx::query_scalar!(
            r#"delete from token_stream
               where token_stream_id = $1 and last_refreshed_at is null and refresh_token_version = 0
                 and lease_until is null
               returning character_id"#,
            token_stream_id.get()
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        if let Some(character_id) = character_id {
            sqlx::query!(
                r#"delete from character c where c.character_id = $1 and c.last_synced_at is null
                   and not exists (select from token_stream s where s.character_id = c.character_id)"#,
                character_id
            )
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::during(doing))?;
        }
        transaction.commit().await.map_err(StoreError::during(doing))?;
        Ok(character_id.is_some())
    }
}
