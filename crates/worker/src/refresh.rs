//! Renewing one token stream: claim, call EVE SSO, save.
//!
//! What is saved first is a new refresh token; only then is the rest of the answer looked at. An access token is
//! stored once it is known to be this character's. Nothing here tries a refused refresh again.

use std::time::Duration;

use domain::token::{Health, RefusalClass};
use domain::{Failure, FailureClass, TokenStreamId};
use esi::{Grant, Identity, RefreshError, SignatureCheck, Sso};
use secrecy::{ExposeSecret, SecretString};
use service::metrics as names;
use store::refresh_job::{Granted, RefreshClaim, RefreshStart, expires_at};
use store::{Keyring, Store, StoreError, pause};
use tracing::{error, info, warn};

/// Everything that a refresh needs, in every process that may have to do one.
#[derive(Debug)]
pub struct Refresher {
    pub store: Store,
    pub keyring: Keyring,
    pub sso: Sso,
    /// Token calls in flight in the whole fleet, at the most.
    pub sso_concurrency: u32,
}

/// What became of a refresh. All but `Busy` and `Impossible` are recorded in the stream's row.
#[derive(Debug)]
pub enum Refreshed {
    Granted,
    /// Another process has renewed the stream meanwhile: its tokens are the good ones.
    LostRace,
    /// EVE SSO refused this login; the row remembers a strike.
    Refused(Failure),
    /// The token is another character's, or the character another account's: the stream is not used any more.
    Quarantined(Failure),
    /// Trouble of EVE SSO, or our own configuration: nothing is remembered against the login.
    Failed(Failure),
    /// The stream is being refreshed by somebody else, or all slots for token calls are taken.
    Busy,
    /// The stream is gone, or has no refresh token.
    Impossible,
}

impl Refreshed {
    fn name(&self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::LostRace => "lost_race",
            Self::Refused(_) => "refused",
            Self::Quarantined(_) => "quarantined",
            Self::Failed(_) => "failed",
            Self::Busy => "busy",
            Self::Impossible => "impossible",
        }
    }
}

/// While EVE SSO refuses our client, nobody asks.
const CONFIGURATION_PAUSE: Duration = Duration::from_secs(300);
const SAVE_AGAIN_FIRST: Duration = Duration::from_millis(250);
const SAVE_AGAIN_AT_LEAST_EVERY: Duration = Duration::from_secs(5);

impl Refresher {
    /// # Errors
    /// When the database does not answer. A claim that was made then runs out by itself.
    pub async fn refresh(&self, token_stream_id: TokenStreamId) -> Result<Refreshed, StoreError> {
        let start = self.store.claim_refresh(&self.keyring, token_stream_id, self.sso_concurrency).await?;
        let claim = match start {
            RefreshStart::Claimed(claim) => *claim,
            RefreshStart::Busy => return Ok(Refreshed::Busy),
            RefreshStart::Impossible => return Ok(Refreshed::Impossible),
        };
        let stream = claim.token_stream_id.get();
        if claim.lost_answer {
            warn!(token_stream.id = stream, "the last refresh of this stream was never recorded");
        }
        let refreshed = match self.sso.refresh(&claim.refresh_token).await {
            Ok(grant) => self.granted(claim, grant).await?,
            Err(error) => self.not_granted(&claim, &error).await?,
        };
        metrics::counter!(names::TOKEN_REFRESHES, "result" => refreshed.name()).increment(1);
        info!(token_stream.id = stream, result = refreshed.name(), "refresh ended");
        Ok(refreshed)
    }

    async fn granted(&self, mut claim: RefreshClaim, grant: Grant) -> Result<Refreshed, StoreError> {
        let replaced =
            grant.refresh_token.as_ref().filter(|token| token.expose_secret() != claim.refresh_token.expose_secret());
        if let Some(refresh_token) = replaced
            && !self.save_rotated(&mut claim, refresh_token).await
        {
            return Ok(Refreshed::LostRace);
        }
        let identity = match self.sso.identify(&grant.access_token, claim.claimed_at).await {
            Ok(identity) => identity,
            Err(error) => {
                let reason = format!("the new access token was not accepted: {error}");
                self.store.finish_without_token(&claim, &claim.health, "unverifiable", &reason).await?;
                return Ok(Refreshed::Failed(Failure::is(FailureClass::Transient, reason)));
            }
        };
        if let SignatureCheck::NotChecked { why } = &identity.signature {
            warn!(token_stream.id = claim.token_stream_id.get(), why, "the token's signature could not be checked");
        }
        if let Some((code, reason)) = wrong_owner(&claim, &identity) {
            error!(token_stream.id = claim.token_stream_id.get(), reason, "token stream quarantined");
            self.store.finish_without_token(&claim, &claim.health.after_owner_change(), code, &reason).await?;
            return Ok(Refreshed::Quarantined(Failure::is(FailureClass::Refused, reason)));
        }
        let granted = Granted {
            access_token: &grant.access_token,
            expires_at: expires_at(claim.claimed_at, grant.expires_in),
            owner_hash: identity.owner_hash.as_deref(),
            scopes: &identity.scopes,
        };
        let saved = self.store.finish_granted(&self.keyring, &claim, granted).await?;
        Ok(if saved { Refreshed::Granted } else { Refreshed::LostRace })
    }

    /// The provider may have forgotten the old token already: there is nothing better to do than to save the new one,
    /// for as long as this process lives.
    async fn save_rotated(&self, claim: &mut RefreshClaim, refresh_token: &SecretString) -> bool {
        let mut wait = SAVE_AGAIN_FIRST;
        loop {
            match self.store.save_rotated(&self.keyring, claim, refresh_token).await {
                Ok(won) => return won,
                Err(error) => {
                    let (stream, reason) = (claim.token_stream_id.get(), error.failure());
                    error!(token_stream.id = stream, %reason, "a new refresh token is not saved yet");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(SAVE_AGAIN_AT_LEAST_EVERY);
                }
            }
        }
    }

    async fn not_granted(&self, claim: &RefreshClaim, error: &RefreshError) -> Result<Refreshed, StoreError> {
        let failure = error.failure();
        let stream = claim.token_stream_id.get();
        let remember = async |health: &Health, code: &str| {
            self.store.finish_without_token(claim, health, code, &failure.reason).await
        };
        match error.class() {
            RefusalClass::User => {
                let health = claim.health.after_refusal(claim.claimed_at);
                warn!(token_stream.id = stream, state = health.state.name(), reason = %failure, "refresh refused");
                remember(&health, if claim.lost_answer { "lost_answer" } else { error.code() }).await?;
                Ok(Refreshed::Refused(failure))
            }
            RefusalClass::Configuration => {
                error!(reason = %failure, "EVE SSO refuses our client: check KILLFLEET_CLIENT_ID and KILLFLEET_CLIENT_SECRET");
                remember(&claim.health, error.code()).await?;
                self.store.pause(pause::SCOPE_SSO, &failure.reason, CONFIGURATION_PAUSE).await?;
                Ok(Refreshed::Failed(failure))
            }
            RefusalClass::Transient => {
                warn!(token_stream.id = stream, reason = %failure, "refresh failed");
                remember(&claim.health, error.code()).await?;
                Ok(Refreshed::Failed(failure))
            }
        }
    }
}

/// The code and the reason to remember when the new token is not this character's, or not the same person's any more.
fn wrong_owner(claim: &RefreshClaim, identity: &Identity) -> Option<(&'static str, String)> {
    if identity.character_id != claim.character_id {
        let name = identity.character_name.as_deref().unwrap_or("no name given");
        let (found, expected) = (identity.character_id, claim.character_id);
        Some(("other_character", format!("the token belongs to character {found} ({name}), not to {expected}")))
    } else if claim.owner_hash.is_some() && identity.owner_hash != claim.owner_hash {
        Some(("owner_changed", "the character belongs to another account now: its pilot has to sign in".to_owned()))
    } else {
        None
    }
}
