//! Logins that another program has kept so far.

use std::time::Duration;

use domain::{CharacterId, TokenStreamId};
use secrecy::SecretString;

use super::{LoginStart, add_or_find, postgres, sqlite};
use crate::access::dialect;
use crate::refresh_job::Granted;
use crate::seal::{Keyring, TokenColumn};
use crate::{Store, StoreError};

/// What came of a login that another program has kept so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Imported {
    Added(TokenStreamId),
    /// This very refresh token is stored already.
    AlreadyStored(TokenStreamId),
    /// The character has a login whose refresh token the provider has replaced since we have it, and this may be the one
    /// that it has replaced: to use a token again that was replaced can end the login.
    MayBeReplaced(TokenStreamId),
}

/// What another program knows of a login.
#[derive(Debug)]
pub struct KeptLogin<'a> {
    pub character_id: CharacterId,
    pub character_name: &'a str,
    pub refresh_token: &'a SecretString,
    /// Its access token, if that is still good, and verified.
    pub granted: Option<Granted<'a>>,
}

impl Store {
    /// Adds a login that another program has kept so far, and touches no other. A character that had none to be served by is
    /// due after `due_in`: so a thousand of them do not refresh in one wave. With `is_trial` all is done but kept.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn import_login(
        &self,
        keyring: &Keyring,
        login: &KeptLogin<'_>,
        due_in: Duration,
        is_trial: bool,
    ) -> Result<Imported, StoreError> {
        let KeptLogin { character_id, character_name, refresh_token, granted } = login;
        let mut transaction = self.transaction("importing a login").await?;
        let added = match add_or_find(&mut transaction, keyring, *character_id, character_name, refresh_token).await? {
            LoginStart::Added(added) => added,
            LoginStart::AlreadyStored(stored) => return Ok(Imported::AlreadyStored(stored)),
        };
        let others = dialect!(transaction, other_streams(*character_id, added))?;
        // Also of a stream that is given up: it may be this very token that was replaced there, and a provider may end all
        // logins of who brings a used one. Leaving without a commit takes back what was added.
        if let Some(other) = others.iter().find(|other| other.refresh_token_version > 0) {
            return TokenStreamId::parse(other.token_stream_id)
                .map(Imported::MayBeReplaced)
                .map_err(StoreError::unexpected);
        }
        if let Some(granted) = granted {
            let sealed = keyring.seal(added, TokenColumn::Access, granted.access_token);
            dialect!(transaction, keep_access_token(added, granted, &sealed))?;
        }
        if !others.iter().any(|other| other.is_in_use) {
            dialect!(transaction, make_due_in(*character_id, due_in))?;
        }
        if !is_trial {
            transaction.commit().await?;
        }
        Ok(Imported::Added(added))
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct OtherStream {
    pub(super) token_stream_id: i64,
    pub(super) refresh_token_version: i64,
    pub(super) is_in_use: bool,
}
