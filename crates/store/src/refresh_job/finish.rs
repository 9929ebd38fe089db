//! The end of a refresh: what is saved, in which order, and what is remembered when no token came of it.
//!
//! A new refresh token is saved first, whether or not the lease still stands; everything else is saved under the fence.
//! All of it releases the slot before it touches the stream, in the order in which claims lock the two.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::token::Health;
use secrecy::SecretString;
use sqlx::{Postgres, Transaction};

use super::RefreshClaim;
use crate::seal::{Keyring, TokenColumn};
use crate::token_stream::AccessToken;
use crate::{Store, StoreError};

/// Whether a call that brought no token was answered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerSeen {
    /// Or there was nothing to answer: the call did not leave us.
    Yes,
    /// It broke off or ran out of time: the provider may have replaced the refresh token all the same.
    MayBeLost,
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
        let saved = sqlx::query!(
            r#"update token_stream
               set refresh_token_sealed = $3, refresh_token_version = refresh_token_version + 1
               where token_stream_id = $1 and refresh_token_version = $2"#,
            claim.token_stream_id.get(),
            claim.refresh_token_version,
            keyring.seal(claim.token_stream_id, TokenColumn::Refresh, refresh_token)
        )
        .execute(&self.pool)
        .await
        .map_err(StoreError::during("saving a new refresh token"))?;
        let won = saved.rows_affected() == 1;
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
        let doing = "saving an access token";
        let health = claim.health.after_grant();
        let sealed = keyring.seal(claim.token_stream_id, TokenColumn::Access, granted.access_token);
        let mut transaction = self.pool.begin().await.map_err(StoreError::during(doing))?;
        release_slot(&mut transaction, claim).await?;
        // Without the lease it may still be the newest token; an older one is of no use to anybody. It is the answer that
        // somebody else's open lease may be telling of.
        let saved = sqlx::query!(
            r#"update token_stream
               set access_token_sealed = $3, expires_at = $4, owner_hash = coalesce($5, owner_hash),
                   granted_scopes = $6, state = $7, strikes = 0, first_refused_at = null, next_probe_at = null,
                   last_error_code = null, last_error = null, last_error_at = null, last_refreshed_at = now(),
                   lease_until = case when lease_until > now() then lease_until end
               where token_stream_id = $1 and refresh_token_version = $2
                 and (fence = $8 or expires_at is null or expires_at < $4)"#,
            claim.token_stream_id.get(),
            claim.refresh_token_version,
            sealed,
            granted.expires_at,
            granted.owner_hash,
            granted.scopes,
            health.state.name(),
            claim.fence
        )
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        end_lease(&mut transaction, claim, false).await?;
        transaction.commit().await.map_err(StoreError::during(doing))?;
        let is_saved = saved.rows_affected() == 1;
        Ok(is_saved.then(|| AccessToken::stored(claim.token_stream_id, granted.access_token.clone(), sealed)))
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
        let doing = "recording a refused refresh";
        let mut transaction = self.pool.begin().await.map_err(StoreError::during(doing))?;
        release_slot(&mut transaction, claim).await?;
        let remembered = sqlx::query!(
            r#"update token_stream
               set state = $3, strikes = $4, first_refused_at = $5, next_probe_at = $6,
                   last_error_code = $7, last_error = $8, last_error_at = now()
               where token_stream_id = $1 and refresh_token_version = $2 and fence = $9"#,
            claim.token_stream_id.get(),
            claim.refresh_token_version,
            health.state.name(),
            i32::try_from(health.strikes).unwrap_or(i32::MAX),
            health.first_refused_at,
            health.next_probe_at,
            error_code,
            error,
            claim.fence
        )
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        // Once an answer may have been lost, this stays so until a grant: every refusal after it can be its consequence.
        // But not if the token has been replaced meanwhile: then it was not lost.
        let is_open = remembered.rows_affected() == 1 && (claim.lost_answer || answer == AnswerSeen::MayBeLost);
        end_lease(&mut transaction, claim, is_open).await?;
        transaction.commit().await.map_err(StoreError::during(doing))
    }

    /// Ends a claim with nothing to remember: another process has replaced the tokens.
    ///
    /// # Errors
    /// When the database does not answer: the lease runs out by itself.
    pub async fn finish_lost_race(&self, claim: &RefreshClaim) -> Result<(), StoreError> {
        let doing = "ending a refresh";
        let mut transaction = self.pool.begin().await.map_err(StoreError::during(doing))?;
        release_slot(&mut transaction, claim).await?;
        end_lease(&mut transaction, claim, false).await?;
        transaction.commit().await.map_err(StoreError::during(doing))
    }
}

/// The lease ends if it is still ours, whatever the row says. One that ends `open` stands in the past, as if we had died
/// with it: that is what tells the next claim of a lost answer.
async fn end_lease(
    transaction: &mut Transaction<'_, Postgres>,
    claim: &RefreshClaim,
    open: bool,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"update token_stream set lease_until = case when $3 then now() end
           where token_stream_id = $1 and fence = $2"#,
        claim.token_stream_id.get(),
        claim.fence,
        open
    )
    .execute(&mut **transaction)
    .await
    .map_err(StoreError::during("ending the lease on a token stream"))?;
    Ok(())
}

/// Before the stream's row is touched: claims lock the slot first and the stream second, and so does everybody.
async fn release_slot(transaction: &mut Transaction<'_, Postgres>, claim: &RefreshClaim) -> Result<(), StoreError> {
    sqlx::query!(
        "update sso_slot set lease_until = '-infinity' where slot = $1 and lease_until = $2",
        claim.slot.number,
        claim.slot.lease_until
    )
    .execute(&mut **transaction)
    .await
    .map_err(StoreError::during("releasing a slot for token calls"))?;
    Ok(())
}

/// `expires_at` of a token whose refresh was sent at `claimed_at`.
#[must_use]
pub fn expires_at(claimed_at: DateTime<Utc>, expires_in: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(expires_in).ok().and_then(|span| claimed_at.checked_add_signed(span)).unwrap_or(claimed_at)
}
