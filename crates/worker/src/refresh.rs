//! Renewing one token stream: claim, call EVE SSO, save.
//!
//! What is saved first is a new refresh token; only then is the rest of the answer looked at. An access token is
//! stored once it is known to be this character's. Nothing here tries a refused refresh again.

use std::sync::Arc;
use std::time::Duration;

use domain::token::breaker::WINDOW;
use domain::token::{RefreshEnd, RefusalClass, Stream};
use domain::{Failure, FailureClass, TokenStreamId};
use esi::{AccessGrant, Grant, Identity, RefreshError, SignatureCheck, Sso, Trouble};
use secrecy::{ExposeSecret, SecretString};
use service::metrics as names;
use store::refresh_job::{AnswerSeen, Granted, RefreshClaim, RefreshStart, Refused, expires_at};
use store::token_stream::AccessToken;
use store::{Keyring, Store, StoreError};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, info, warn};

/// What became of a refresh. What speaks of the login, of EVE SSO or of us is recorded in the stream's row.
#[derive(Debug)]
pub enum Refreshed {
    /// With the access token, which may live for less than the buffer.
    Granted(AccessToken),
    /// Another process has renewed the stream meanwhile, and its tokens are the good ones; or it was refused.
    LostRace,
    /// EVE SSO refused this login; the row remembers a strike.
    Refused(Failure),
    /// The token is another character's, or the character another account's: the stream is not used any more.
    Quarantined(Failure),
    /// Trouble of EVE SSO, or our own configuration: nothing is remembered against the login.
    Failed(Failure),
    /// This stream brings no token that we could use, whatever its login is worth: the new access token was not
    /// accepted, the refresh token does not open with our keys, or its refusal is not believed. Another stream may
    /// serve.
    Unusable(Failure),
    /// The stream is being refreshed by somebody else, or all slots for token calls are taken.
    Busy,
    /// The stream is gone, or has no refresh token.
    Impossible,
}

impl Refreshed {
    fn name(&self) -> &'static str {
        match self {
            Self::Granted(_) => "granted",
            Self::LostRace => "lost_race",
            Self::Refused(_) => "refused",
            Self::Quarantined(_) => "quarantined",
            Self::Failed(_) => "failed",
            Self::Unusable(_) => "unusable",
            Self::Busy => "busy",
            Self::Impossible => "impossible",
        }
    }
}

const SAVE_AGAIN_FIRST: Duration = Duration::from_millis(250);
const SAVE_AGAIN_AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// A token call takes 30 s at the most, finding the endpoint and the signing keys 5 s each, and saving a moment.
const UNDER_WAY_LIMIT: Duration = Duration::from_secs(45);

/// Refreshes run in tasks of their own: whoever waits for one can be cut off, but between the call and the saving of
/// its answer nothing may be.
#[derive(Debug, Clone)]
pub struct Refresher {
    inner: Arc<Inner>,
    under_way: TaskTracker,
}

impl Refresher {
    #[must_use]
    pub fn of(store: Store, keyring: Keyring, sso: Sso, sso_concurrency: u32) -> Self {
        let inner = Arc::new(Inner { store, keyring, sso, sso_concurrency });
        Self { inner, under_way: TaskTracker::new() }
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    /// For a new login: refreshes of what is stored go through [`Refresher::refresh`] alone.
    #[must_use]
    pub fn sso(&self) -> &Sso {
        &self.inner.sso
    }

    /// Token calls in flight in the whole fleet, at the most: those of new logins count too.
    #[must_use]
    pub fn sso_concurrency(&self) -> u32 {
        self.inner.sso_concurrency
    }

    /// `decided_on` is the stream as it was when it was chosen; none if it was not chosen for how it was.
    ///
    /// [`Refreshed::Busy`], and nothing is begun, once [`Refresher::finish`] was called.
    ///
    /// # Errors
    /// When the database does not answer. A claim that was made then runs out by itself.
    ///
    /// # Panics
    /// When the refresh itself panics.
    pub async fn refresh(
        &self,
        token_stream_id: TokenStreamId,
        decided_on: Option<Stream>,
    ) -> Result<Refreshed, StoreError> {
        // First counted, then asked: what passes here is waited for. Siblings may ask until the very end.
        let _counted = self.under_way.token();
        if self.under_way.is_closed() {
            return Ok(Refreshed::Busy);
        }
        let inner = Arc::clone(&self.inner);
        let refresh = async move { inner.refresh(token_stream_id, decided_on.as_ref()).await };
        match self.under_way.spawn(refresh.in_current_span()).await {
            Ok(refreshed) => refreshed,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    /// To be awaited before the process ends: the refreshes that are under way are recorded first, and no other is begun.
    pub async fn finish(&self) {
        self.under_way.close();
        if tokio::time::timeout(UNDER_WAY_LIMIT, self.under_way.wait()).await.is_err() {
            error!(refreshes = self.under_way.len(), "refreshes are cut: their leases stay open and tell of it");
        }
    }
}

#[derive(Debug)]
struct Inner {
    store: Store,
    keyring: Keyring,
    sso: Sso,
    sso_concurrency: u32,
}

impl Inner {
    async fn refresh(
        &self,
        token_stream_id: TokenStreamId,
        decided_on: Option<&Stream>,
    ) -> Result<Refreshed, StoreError> {
        let start = self.store.claim_refresh(&self.keyring, token_stream_id, decided_on, self.sso_concurrency).await?;
        let claim = match start {
            RefreshStart::Claimed(claim) => *claim,
            RefreshStart::Busy => return Ok(Refreshed::Busy),
            RefreshStart::Overtaken => return Ok(Refreshed::LostRace),
            RefreshStart::Impossible => return Ok(Refreshed::Impossible),
            RefreshStart::Unopenable(why) => {
                error!(token_stream.id = token_stream_id.get(), reason = %why, "check KILLFLEET_TOKEN_KEY");
                self.store.record_unopenable(token_stream_id, &why).await?;
                return Ok(Refreshed::Unusable(Failure::is(FailureClass::Configuration, why.to_string())));
            }
        };
        let stream = claim.token_stream_id.get();
        if claim.lost_answer {
            warn!(token_stream.id = stream, "an earlier answer to a refresh of this stream was lost");
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
            self.store.finish_lost_race(&claim).await?;
            return Ok(Refreshed::LostRace);
        }
        let AccessGrant { access_token, expires_in } = match grant.access {
            Ok(access) => access,
            Err(error) => return self.unusable(&claim, "sso_unreadable", error.to_string()).await,
        };
        let identity = match self.sso.identify(&access_token, claim.claimed_at).await {
            Ok(identity) => identity,
            Err(error) => return self.unusable(&claim, "unverifiable", error.to_string()).await,
        };
        if let SignatureCheck::NotChecked { why } = &identity.signature {
            warn!(token_stream.id = claim.token_stream_id.get(), why, "the token's signature could not be checked");
        }
        if claim.owner_hash.is_some() && identity.owner_hash.is_none() {
            return self.unusable(&claim, "unverifiable", "it does not say whose account it is".to_owned()).await;
        }
        if let Some((code, reason)) = wrong_owner(&claim, &identity) {
            error!(token_stream.id = claim.token_stream_id.get(), reason, "token stream quarantined");
            let health = claim.health_after(RefreshEnd::OwnerChanged);
            self.store.finish_without_token(&claim, &health, code, &reason, AnswerSeen::Yes).await?;
            return Ok(Refreshed::Quarantined(Failure::is(FailureClass::Refused, reason)));
        }
        let granted = Granted {
            access_token: &access_token,
            expires_at: expires_at(claim.claimed_at, expires_in),
            owner_hash: identity.owner_hash.as_deref(),
            scopes: &identity.scopes,
        };
        let saved = self.store.finish_granted(&self.keyring, &claim, granted).await?;
        Ok(saved.map_or(Refreshed::LostRace, Refreshed::Granted))
    }

    async fn unusable(&self, claim: &RefreshClaim, code: &str, why: String) -> Result<Refreshed, StoreError> {
        let reason = format!("the new access token was not accepted: {why}");
        self.store
            .finish_without_token(claim, &claim.health_after(RefreshEnd::Trouble), code, &reason, AnswerSeen::Yes)
            .await?;
        Ok(Refreshed::Unusable(Failure::is(FailureClass::Transient, reason)))
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
        let mut failure = error.failure();
        if error.class() == RefusalClass::Configuration {
            failure.reason += ": check KILLFLEET_CLIENT_ID and KILLFLEET_CLIENT_SECRET";
        }
        let stream = claim.token_stream_id.get();
        let answer = match error {
            // Behind a gateway's 502 or 504 EVE SSO may have answered.
            RefreshError::Transient {
                trouble:
                    Trouble::Unreachable(_) | Trouble::Unreadable(_) | Trouble::Unavailable { status: 502 | 504, .. },
                ..
            } => AnswerSeen::MayBeLost,
            RefreshError::Transient { .. } | RefreshError::Refused { .. } => AnswerSeen::Yes,
        };
        match error.class() {
            RefusalClass::User => self.refused(claim, error.code(), failure).await,
            // Whether all refreshes pause is for those to say who work for the fleet: a command may have other
            // settings.
            RefusalClass::Configuration | RefusalClass::Transient => {
                warn!(token_stream.id = stream, reason = %failure, "refresh failed");
                let reason = &failure.reason;
                self.store
                    .finish_without_token(claim, &claim.health_after(RefreshEnd::Trouble), error.code(), reason, answer)
                    .await?;
                Ok(Refreshed::Failed(failure))
            }
        }
    }

    async fn refused(&self, claim: &RefreshClaim, code: &str, failure: Failure) -> Result<Refreshed, StoreError> {
        let code = if claim.lost_answer { "lost_answer" } else { code };
        let stream = claim.token_stream_id.get();
        match self.store.finish_refused(claim, code, &failure.reason).await? {
            Refused::Marked(health) => {
                warn!(token_stream.id = stream, state = health.state.name(), reason = %failure, "refresh refused");
                return Ok(Refreshed::Refused(failure));
            }
            Refused::Overtaken => return Ok(Refreshed::Refused(failure)),
            Refused::Withheld => {
                info!(token_stream.id = stream, reason = %failure, "refresh refused, and not believed")
            }
            Refused::Opened { reason } => {
                alarm("mass_refusal");
                error!(reason, "all refreshes pause");
            }
        }
        let reason = format!("{failure}; with so many refused at once, it is held against nobody");
        Ok(Refreshed::Unusable(Failure::is(FailureClass::Wait(WINDOW), reason)))
    }
}

/// Counted once for the fleet: by the process whose refusal was the one too many.
pub(crate) fn alarm(reason: &'static str) {
    metrics::counter!(names::REFRESH_PAUSES, "reason" => reason).increment(1);
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
