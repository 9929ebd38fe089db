//! From the code to a stored login: take a slot, exchange the code, see whose the tokens are, store both at once.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use domain::token::LIST_SCOPE;
use domain::{CharacterId, FailureClass};
use esi::{AccessGrant, Grant, Identity, IdentityError, SignIn, SignatureCheck, Sso};
use secrecy::SecretString;
use service::classed;
use store::login::LoginStart;
use store::refresh_job::{Granted, expires_at};
use store::sso_slot::SsoSlot;
use store::{Keyring, Store};
use worker::refresh::Refresher;

use crate::commands::from_store;
use crate::moved::refuse_moved;

/// A login that was stored.
pub(super) struct SignedIn {
    character_id: CharacterId,
    character_name: String,
    start: LoginStart,
}

impl fmt::Display for SignedIn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { character_id, character_name, start } = self;
        match start {
            LoginStart::Added(token_stream_id) => {
                write!(
                    formatter,
                    "character {character_id} ({character_name}) is signed in: token stream {token_stream_id}"
                )
            }
            LoginStart::AlreadyStored(token_stream_id) => write!(
                formatter,
                "character {character_id} ({character_name}) is signed in: EVE SSO gave the refresh token that is stored \
                 already, as token stream {token_stream_id}"
            ),
        }
    }
}

pub(super) async fn finish(refresher: &Refresher, sign_in: &SignIn, code: &SecretString) -> anyhow::Result<SignedIn> {
    let slot = slot(refresher).await?;
    let signed_in = sign_in_under_slot(refresher, sign_in, code).await;
    // Not before the tokens are stored. If it cannot be given back, it comes free by itself.
    if let Err(error) = refresher.store().release_sso_slot(&slot).await {
        tracing::debug!(reason = %error.failure(), "a slot for token calls was not given back");
    }
    signed_in
}

/// The code lives for 5 minutes, and as long as it was not sent it is good: a person waits rather than signs in again.
const SLOT_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// One of the fleet's slots for token calls, of which a login is one as any other.
///
/// A pause of all refreshes is not kept. It spares EVE SSO the fleet's many calls, and this is one, for which a person
/// waits; after EVE SSO has refused our client, it is likely the one who has mended the settings and sees by this
/// whether they are right.
async fn slot(refresher: &Refresher) -> anyhow::Result<SsoSlot> {
    let since = Instant::now();
    let mut is_told = false;
    loop {
        let taken = refresher.store().take_sso_slot(refresher.sso_concurrency()).await;
        if let Some(slot) = taken.map_err(from_store)? {
            return Ok(slot);
        }
        if since.elapsed() >= SLOT_WITHIN {
            bail!(
                "nothing was stored: the fleet is making as many token calls as KILLFLEET_SSO_CONCURRENCY allows, and \
                 none came to its end. Sign in again in a few minutes"
            );
        }
        if !is_told {
            tracing::info!("the fleet is making as many token calls as it may: this login waits for one to end");
            is_told = true;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn sign_in_under_slot(refresher: &Refresher, sign_in: &SignIn, code: &SecretString) -> anyhow::Result<SignedIn> {
    let (store, sso) = (refresher.store(), refresher.sso());
    // Before the code is used up: a database that is away is noticed, or a file that was moved meanwhile; and `expires_in`
    // counts from here.
    refuse_moved(store).await?;
    let sent_at = store.now().await.map_err(from_store)?;
    let nothing_stored = "nothing was stored";
    let grant = sso.exchange_code(sign_in, code).await.map_err(|error| classed(error.failure()));
    let Grant { refresh_token, access } = grant.context(nothing_stored)?;
    let Some(refresh_token) = refresh_token else {
        bail!(
            "nothing was stored: EVE SSO gave no refresh token, as it does for a login without a scope. Give your \
             application the scope {LIST_SCOPE}, and sign in again"
        );
    };
    let AccessGrant { access_token, expires_in } = access.map_err(|why| anyhow!(why)).context(nothing_stored)?;
    let identity = identify(sso, &access_token, sent_at).await.context(nothing_stored)?;
    if let SignatureCheck::NotChecked { why } = &identity.signature {
        tracing::warn!(why, "the token's signature could not be checked");
    }
    let character_id = identity.character_id;
    let character_name = identity.character_name.unwrap_or_else(|| format!("Character {character_id}"));
    let granted = Granted {
        access_token: &access_token,
        expires_at: expires_at(sent_at, expires_in),
        owner_hash: identity.owner_hash.as_deref(),
        scopes: &identity.scopes,
    };
    let login = NewLogin { character_id, character_name: &character_name, refresh_token: &refresh_token, granted };
    let start = login.save(store, refresher.keyring()).await?;
    if !identity.scopes.iter().any(|scope| scope == LIST_SCOPE) {
        bail!(
            "character {character_id} ({character_name}) was added, but nothing can be fetched with this login: it does not \
             hold the scope {LIST_SCOPE}. Give it to your application, and sign in again"
        );
    }
    Ok(SignedIn { character_id, character_name, start })
}

/// More than the time for which a set of keys is believed to be the newest.
const IDENTIFY_AGAIN: Duration = Duration::from_secs(61);
const IDENTIFY_TRIES: u32 = 4;

/// While EVE SSO changes its keys, a key may be published some minutes after it is used, under its old name even. The code
/// is used up by now, and an earlier login may have ended with it.
async fn identify(sso: &Sso, access_token: &SecretString, sent_at: DateTime<Utc>) -> Result<Identity, IdentityError> {
    for _ in 1..IDENTIFY_TRIES {
        match sso.identify(access_token, sent_at).await {
            Err(IdentityError::UnknownKey | IdentityError::Signature) => {
                tracing::warn!("EVE SSO does not publish the key of this token yet: it is asked again in a minute");
                tokio::time::sleep(IDENTIFY_AGAIN).await;
            }
            identity => return identity,
        }
    }
    sso.identify(access_token, sent_at).await
}

/// What nobody else has.
struct NewLogin<'a> {
    character_id: CharacterId,
    character_name: &'a str,
    refresh_token: &'a SecretString,
    granted: Granted<'a>,
}

const SAVE_AGAIN: Duration = Duration::from_secs(2);

impl NewLogin<'_> {
    /// A database that is away is waited for, however long, and one that must be mended by a person too: the tokens would be
    /// lost with this process, and a login with another set of scopes may have ended the earlier ones of its character.
    async fn save(&self, store: &Store, keyring: &Keyring) -> anyhow::Result<LoginStart> {
        loop {
            let Self { character_id, character_name, refresh_token, granted } = self;
            match store.store_login(keyring, *character_id, character_name, refresh_token, granted).await {
                Ok(start) => return Ok(start),
                Err(error) if matches!(error.class(), FailureClass::Transient | FailureClass::Configuration) => {
                    let reason = error.failure().reason;
                    tracing::error!(
                        reason,
                        "the login is not stored yet: leave this running, nobody else has its tokens"
                    );
                    tokio::time::sleep(SAVE_AGAIN).await;
                }
                Err(error) => return Err(from_store(error).context("the login could not be stored")),
            }
        }
    }
}
