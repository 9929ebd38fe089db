//! Renewing a token stream: one refresh per stream at a time in the whole fleet.
//!
//! Claim a lease on the stream and a slot for the call, call the provider outside any transaction, then save. What is
//! saved first is the new refresh token, by compare-and-swap on the version of the old one and whether or not the
//! lease still stands: a provider that rotates has already forgotten the old one. Only then may anything else use the
//! answer. A process that dies in between leaves its lease in the past; the next claim tells it as `lost_answer`.
//!
//! Here stands the claim; the saving is in `finish`.

mod finish;

use chrono::{DateTime, Utc};
use domain::token::Health;
use domain::{CharacterId, TokenStreamId};
pub use finish::{AnswerSeen, Granted, expires_at};
use secrecy::SecretString;

use crate::seal::{Keyring, SealError, TokenColumn};
use crate::token_stream::health;
use crate::{Store, StoreError, lease};

/// A stream that we alone may refresh, until [`lease::REFRESH`] has passed.
#[derive(Debug)]
pub struct RefreshClaim {
    pub token_stream_id: TokenStreamId,
    pub character_id: CharacterId,
    pub refresh_token: SecretString,
    pub health: Health,
    /// Of the account that the last token belonged to; none before the first.
    pub owner_hash: Option<String>,
    /// On the database's clock, just before the call is sent: what `expires_in` is added to.
    pub claimed_at: DateTime<Utc>,
    /// An answer to a refresh of this stream was lost, or never recorded, since the last grant: it may have brought a
    /// new refresh token that we do not have.
    pub lost_answer: bool,
    refresh_token_version: i64,
    fence: i64,
    slot: Slot,
}

#[derive(Debug)]
struct Slot {
    number: i32,
    /// Identifies our hold on the slot.
    lease_until: DateTime<Utc>,
}

/// What came of asking for a claim.
#[derive(Debug)]
pub enum RefreshStart {
    Claimed(Box<RefreshClaim>),
    /// Somebody else is refreshing this stream, or all slots for token calls are taken: look again in a moment.
    Busy,
    /// The stream is gone, or has no refresh token.
    Impossible,
    /// Its refresh token does not open with our keys: nothing was claimed.
    Unopenable(SealError),
}

impl Store {
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_refresh(
        &self,
        keyring: &Keyring,
        token_stream_id: TokenStreamId,
        sso_concurrency: u32,
    ) -> Result<RefreshStart, StoreError> {
        let doing = "claiming a token stream";
        let mut transaction = self.pool.begin().await.map_err(StoreError::during(doing))?;
        let slot = sqlx::query!(
            r#"update sso_slot set lease_until = now() + make_interval(secs => $2)
               where slot = (select slot from sso_slot where slot <= $1 and lease_until <= now()
                             order by slot limit 1 for update skip locked)
               returning slot, lease_until"#,
            i32::try_from(sso_concurrency).unwrap_or(i32::MAX),
            lease::seconds(lease::REFRESH)
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        // Leaving without a commit rolls back: a slot without a stream is not kept.
        let Some(slot) = slot else { return Ok(RefreshStart::Busy) };
        let row = sqlx::query!(
            r#"select character_id, refresh_token_sealed, refresh_token_version, owner_hash, state, strikes,
                      first_refused_at, next_probe_at, lease_until, now() as "now!"
               from token_stream where token_stream_id = $1 for update"#,
            token_stream_id.get()
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        let Some(row) = row else { return Ok(RefreshStart::Impossible) };
        if row.lease_until.is_some_and(|lease_until| lease_until > row.now) {
            return Ok(RefreshStart::Busy);
        }
        let Some(sealed) = row.refresh_token_sealed else { return Ok(RefreshStart::Impossible) };
        let refresh_token = match keyring.open(token_stream_id, TokenColumn::Refresh, &sealed) {
            Ok(refresh_token) => refresh_token,
            Err(why) => return Ok(RefreshStart::Unopenable(why)),
        };
        let fence = sqlx::query_scalar!(
            r#"update token_stream set lease_until = now() + make_interval(secs => $2), fence = fence + 1
               where token_stream_id = $1 returning fence"#,
            token_stream_id.get(),
            lease::seconds(lease::REFRESH)
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        transaction.commit().await.map_err(StoreError::during(doing))?;
        Ok(RefreshStart::Claimed(Box::new(RefreshClaim {
            token_stream_id,
            character_id: CharacterId::parse(row.character_id).map_err(StoreError::unexpected)?,
            refresh_token,
            health: health(&row.state, row.strikes, row.first_refused_at, row.next_probe_at)?,
            owner_hash: row.owner_hash,
            claimed_at: row.now,
            lost_answer: row.lease_until.is_some(),
            refresh_token_version: row.refresh_token_version,
            fence,
            slot: Slot { number: slot.slot, lease_until: slot.lease_until },
        })))
    }
}
