//! Renewing a token stream: one refresh per stream at a time in the whole fleet.
//!
//! Claim a lease on the stream and a slot for the call, call the provider outside any transaction, then save. What is
//! saved first is the new refresh token, by compare-and-swap on the version of the old one and whether or not the
//! lease still stands: a provider that rotates has already forgotten the old one. Only then may anything else use the
//! answer. A process that dies in between leaves its lease in the past; the next claim tells it as `lost_answer`.
//!
//! Here stands the claim; the saving is in `finish`.

mod finish;
mod postgres;
mod sqlite;

use chrono::{DateTime, Utc};
use domain::token::{Health, RefreshEnd, Stream};
use domain::{CharacterId, TokenStreamId};
pub use finish::{AnswerSeen, Granted, Refused, expires_at};
use secrecy::SecretString;

use crate::access::dialect;
use crate::seal::{Keyring, SealError, TokenColumn};
use crate::sso_slot::SsoSlot;
use crate::token_stream::health;
use crate::{Store, StoreError, sso_slot, token_event};

/// A stream that we alone may refresh, until [`lease::REFRESH`](crate::lease::REFRESH) has passed.
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
    /// EVE SSO has granted it to us before, at least once; what another program was given before an import does not
    /// count.
    pub(crate) was_ever_granted: bool,
    /// An answer to a refresh of this stream was lost, or never recorded, since the last grant: it may have brought a
    /// new refresh token that we do not have.
    pub lost_answer: bool,
    refresh_token_version: i64,
    fence: i64,
    slot: SsoSlot,
}

impl RefreshClaim {
    /// What the stream is from now on, if its refresh came to this.
    #[must_use]
    pub fn health_after(&self, end: RefreshEnd) -> Health {
        self.health.after(end, self.claimed_at)
    }
}

/// What came of asking for a claim.
#[derive(Debug)]
pub enum RefreshStart {
    Claimed(Box<RefreshClaim>),
    /// Somebody else is refreshing this stream, or all slots for token calls are taken: look again in a moment.
    Busy,
    /// The stream is gone, or has no refresh token.
    Impossible,
    /// Somebody else has tried it since it was decided to: decide anew. Who has been refused meanwhile would be refused
    /// a second time for one reason.
    Overtaken,
    /// Its refresh token does not open with our keys: nothing was claimed.
    Unopenable(SealError),
}

impl Store {
    /// `decided_on` is the stream as it was when it was chosen; none if it was not chosen for how it was.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_refresh(
        &self,
        keyring: &Keyring,
        token_stream_id: TokenStreamId,
        decided_on: Option<&Stream>,
        sso_concurrency: u32,
    ) -> Result<RefreshStart, StoreError> {
        let mut transaction = self.transaction("claiming a token stream").await?;
        // Leaving without a commit rolls back: a slot without a stream is not kept.
        let Some(slot) = sso_slot::take(&mut transaction, sso_concurrency).await? else {
            return Ok(RefreshStart::Busy);
        };
        let Some(row) = dialect!(transaction, lock_stream(token_stream_id))? else {
            return Ok(RefreshStart::Impossible);
        };
        if row.lease_until.is_some_and(|lease_until| lease_until > row.now) {
            return Ok(RefreshStart::Busy);
        }
        let health = health(&row.state, row.strikes, row.first_refused_at, row.next_probe_at)?;
        // Whatever a try comes to, it changes one of these.
        let now_is = (&health, row.expires_at, row.last_error_at);
        if decided_on.is_some_and(|stream| (&stream.health, stream.expires_at, stream.last_error_at) != now_is) {
            return Ok(RefreshStart::Overtaken);
        }
        let Some(sealed) = row.refresh_token_sealed else { return Ok(RefreshStart::Impossible) };
        let refresh_token = match keyring.open(token_stream_id, TokenColumn::Refresh, &sealed) {
            Ok(refresh_token) => refresh_token,
            Err(why) => return Ok(RefreshStart::Unopenable(why)),
        };
        let fence = dialect!(transaction, begin_lease(token_stream_id))?;
        let lost_answer = row.lease_until.is_some();
        if lost_answer {
            token_event::record_answer_lost(&mut transaction, token_stream_id).await?;
        }
        transaction.commit().await?;
        Ok(RefreshStart::Claimed(Box::new(RefreshClaim {
            token_stream_id,
            character_id: CharacterId::parse(row.character_id).map_err(StoreError::unexpected)?,
            refresh_token,
            health,
            owner_hash: row.owner_hash,
            claimed_at: row.now,
            was_ever_granted: row.was_ever_granted,
            lost_answer,
            refresh_token_version: row.refresh_token_version,
            fence,
            slot,
        })))
    }
}

/// A stream as it stands before we claim it.
#[derive(sqlx::FromRow)]
struct Unclaimed {
    character_id: i64,
    refresh_token_sealed: Option<Vec<u8>>,
    refresh_token_version: i64,
    owner_hash: Option<String>,
    was_ever_granted: bool,
    expires_at: Option<DateTime<Utc>>,
    last_error_at: Option<DateTime<Utc>>,
    state: String,
    strikes: i32,
    first_refused_at: Option<DateTime<Utc>>,
    next_probe_at: Option<DateTime<Utc>>,
    /// Of a claim that has not ended.
    lease_until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}
