//! The end of a refresh: what is saved, in which order, and what is remembered when no token came of it.
//!
//! A new refresh token is saved first, whether or not the lease still stands; everything else is saved under the fence.
//! All of it releases the slot before it touches the stream, in the order in which claims lock the two.

mod postgres;
mod sqlite;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::token::breaker::{RefusedLogin, Ruling};
use domain::token::{Health, RefreshEnd, StreamState, TokenEvent};
use secrecy::SecretString;

use super::RefreshClaim;
use crate::access::dialect;
use crate::seal::{Keyring, TokenColumn};
use crate::token_stream::AccessToken;
use crate::{Store, StoreError, breaker, sso_slot, token_event};

/// Whether a call that brought no token was answered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerSeen {
    /// Or there was nothing to answer: the call did not leave us.
    Yes,
    /// It broke off or ran out of time: the provider may have replaced the refresh token all the same.
    MayBeLost,
}

/// What came of a refusal for the user's sake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is held against the login, which is this from now on.
    Marked(Health),
    /// It is held against nobody: too many were refused at once.
    Withheld,
    /// The same, and all refreshes pause from now on, for this reason: the operator has to be told.
    Opened { reason: String },
    /// The lease was lost, or another process has replaced the tokens: nothing is remembered.
    Overtaken,
}

/// The verified facts of a new access token.
#[derive(Debug)]
pub struct Granted<'a> {
    pub access_token: &'a SecretString,
    pub expires_at: DateTime<Utc>,
    pub owner_hash: Option<&'a str>,
    pub scopes: &'a [String],
}

impl Store {
    /// Saves a refresh token that the provider gave in place of the old one. To be called before anything else uses
    /// the answer. False when another process has replaced the token meanwhile: then its tokens are the good ones.
    ///
    /// # Errors
    /// When the database does not answer: the caller tries again for as long as it can, since the old token may be
    /// worthless by now.
    pub async fn save_rotated(
        &self,
        keyring: &Keyring,
        claim: &mut RefreshClaim,
        refresh_token: &SecretString,
    ) -> Result<bool, StoreError> {
        let sealed = keyring.seal(claim.token_stream_id, TokenColumn::Refresh, refresh_token);
        let mut transaction = self.transaction("saving a new refresh token").await?;
        let won = dialect!(transaction, save_rotated(claim, &sealed))?;
        if won {
            token_event::record(&mut transaction, claim.token_stream_id, TokenEvent::Rotated).await?;
        }
        transaction.commit().await?;
        if won {
            claim.refresh_token_version += 1;
        }
        Ok(won)
    }

    /// Saves a verified access token and ends the claim. None when another process has renewed the stream: its tokens
    /// are the good ones.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn finish_granted(
        &self,
        keyring: &Keyring,
        claim: &RefreshClaim,
        granted: Granted<'_>,
    ) -> Result<Option<AccessToken>, StoreError> {
        let sealed = keyring.seal(claim.token_stream_id, TokenColumn::Access, granted.access_token);
        let mut transaction = self.transaction("saving an access token").await?;
        sso_slot::release(&mut transaction, &claim.slot).await?;
        // Without the lease it may still be the newest token; an older one is of no use to anybody. It is the answer that
        // somebody else's open lease may be telling of.
        let is_saved = dialect!(transaction, save_granted(claim, &granted, &sealed))?;
        dialect!(transaction, end_lease(claim, false))?;
        if is_saved {
            token_event::record(&mut transaction, claim.token_stream_id, TokenEvent::Refreshed).await?;
            let (from, to) = (claim.health.state, claim.health_after(RefreshEnd::Granted).state);
            token_event::record_change(&mut transaction, claim.token_stream_id, from, to).await?;
            breaker::granted(&mut transaction, claim.token_stream_id).await?;
        }
        transaction.commit().await?;
        Ok(is_saved
            .then(|| AccessToken::stored(claim.token_stream_id, granted.access_token.clone(), granted.expires_at)))
    }

    /// Remembers that the provider has refused this login for its user's sake, and ends the claim. Whether that is held
    /// against the login is for the breaker to say ([`domain::token::breaker`]).
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn finish_refused(
        &self,
        claim: &RefreshClaim,
        error_code: &str,
        error: &str,
    ) -> Result<Refused, StoreError> {
        let mut transaction = self.transaction("recording a refused refresh").await?;
        sso_slot::release(&mut transaction, &claim.slot).await?;
        if !dialect!(transaction, lock_if_ours(claim))? {
            dialect!(transaction, end_lease(claim, false))?;
            transaction.commit().await?;
            return Ok(Refused::Overtaken);
        }
        breaker::client_is_taken(&mut transaction).await?;
        let login = RefusedLogin::of(&claim.health, claim.was_ever_granted);
        let ruled = breaker::rule(&mut transaction, claim.token_stream_id, login).await?;
        let is_marked = matches!(ruled.ruling, Ruling::Mark | Ruling::MarkNew);
        let health = claim.health_after(if is_marked { RefreshEnd::Refused } else { RefreshEnd::Trouble });
        dialect!(transaction, save_refused(claim, &health, error_code, error))?;
        dialect!(transaction, end_lease(claim, claim.lost_answer))?;
        let code = error_code;
        let event = if is_marked { TokenEvent::Refused { code } } else { TokenEvent::RefusalWithheld { code } };
        token_event::record(&mut transaction, claim.token_stream_id, event).await?;
        if ruled.ruling == Ruling::MarkNew {
            token_event::record(&mut transaction, claim.token_stream_id, TokenEvent::NewSuspect).await?;
        } else {
            token_event::record_change(&mut transaction, claim.token_stream_id, claim.health.state, health.state)
                .await?;
        }
        transaction.commit().await?;
        Ok(match ruled.reason {
            Some(reason) => Refused::Opened { reason },
            None if is_marked => Refused::Marked(health),
            None => Refused::Withheld,
        })
    }

    /// Remembers why no access token came of it and ends the claim; `health` is what the stream is from now on.
    /// Nothing is remembered when the lease was lost or another process has replaced the tokens: what was refused is
    /// not what stands in the row now.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn finish_without_token(
        &self,
        claim: &RefreshClaim,
        health: &Health,
        error_code: &str,
        error: &str,
        answer: AnswerSeen,
    ) -> Result<(), StoreError> {
        let mut transaction = self.transaction("recording a refused refresh").await?;
        sso_slot::release(&mut transaction, &claim.slot).await?;
        let is_remembered = dialect!(transaction, save_refused(claim, health, error_code, error))?;
        // Once an answer may have been lost, this stays so until a grant: every refusal after it can be its consequence.
        // But not if the token has been replaced meanwhile: then it was not lost.
        let is_open = is_remembered && (claim.lost_answer || answer == AnswerSeen::MayBeLost);
        dialect!(transaction, end_lease(claim, is_open))?;
        if is_remembered && answer == AnswerSeen::MayBeLost {
            token_event::record_answer_lost(&mut transaction, claim.token_stream_id).await?;
        }
        if is_remembered && health.state == StreamState::Quarantined {
            let event = TokenEvent::Quarantined { reason: error };
            token_event::record(&mut transaction, claim.token_stream_id, event).await?;
        }
        if is_remembered {
            token_event::record_change(&mut transaction, claim.token_stream_id, claim.health.state, health.state)
                .await?;
        }
        transaction.commit().await
    }

    /// Ends a claim with nothing to remember: another process has replaced the tokens.
    ///
    /// # Errors
    /// When the database does not answer: the lease runs out by itself.
    pub async fn finish_lost_race(&self, claim: &RefreshClaim) -> Result<(), StoreError> {
        let mut transaction = self.transaction("ending a refresh").await?;
        sso_slot::release(&mut transaction, &claim.slot).await?;
        dialect!(transaction, end_lease(claim, false))?;
        transaction.commit().await
    }
}

/// `expires_at` of a token whose refresh was sent at `claimed_at`.
#[must_use]
pub fn expires_at(claimed_at: DateTime<Utc>, expires_in: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(expires_in).ok().and_then(|span| claimed_at.checked_add_signed(span)).unwrap_or(claimed_at)
}
