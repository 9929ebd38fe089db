//! What has happened to token streams: an append-only record that outlives them, for 90 days; grants for 7.
//!
//! A record is written in the transaction of what it tells of, so there is none of what did not happen. The words are
//! [`domain::token::TokenEvent`]'s.

mod postgres;
mod sqlite;

use std::time::Duration;

use domain::TokenStreamId;
use domain::token::{StreamState, TokenEvent};

use crate::access::{Access, dialect};
use crate::prune::in_batches;
use crate::{Store, StoreError};

const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Of `refreshed` and `rotated`, which a login that is in use has 72 times a day: 65 million in 90 days of 10,000 logins. The
/// last one is in the stream's row, whenever it was; the others tell little after some days.
const FREQUENT_KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Store {
    /// Writes down that the access token of a stream was given to a sibling service, and to which.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record_use(&self, token_stream_id: TokenStreamId, to: &str) -> Result<(), StoreError> {
        let mut transaction = self.transaction("recording that an access token was given away").await?;
        record(&mut transaction, token_stream_id, TokenEvent::Issued { to }).await?;
        transaction.commit().await
    }

    /// Removes records that are older than 90 days, and grants and rotations that are older than 7; returns how many. After a long
    /// standstill the rest is left to the next tick.
    ///
    /// # Errors
    /// When the database does not answer: what was removed before stays so.
    pub async fn prune_token_events(&self) -> Result<u64, StoreError> {
        in_batches(async |limit| {
            let mut transaction = self.transaction("removing old records of token streams").await?;
            let mut pruned = dialect!(transaction, prune_frequent(FREQUENT_KEPT_FOR, limit))?;
            pruned += dialect!(transaction, prune(KEPT_FOR, limit))?;
            transaction.commit().await?;
            Ok(pruned)
        })
        .await
    }
}

/// Of a stream that is there no more.
pub(crate) async fn record_gone(
    transaction: &mut Access,
    token_stream_id: TokenStreamId,
    character_id: i64,
    event: TokenEvent<'_>,
) -> Result<(), StoreError> {
    dialect!(*transaction, record_gone(token_stream_id, character_id, event.name()))
}

/// That an answer may have been lost; once until the next grant, however often it is noticed.
pub(crate) async fn record_answer_lost(
    transaction: &mut Access,
    token_stream_id: TokenStreamId,
) -> Result<(), StoreError> {
    let is_known = dialect!(
        *transaction,
        is_told_since_grant(token_stream_id, TokenEvent::AnswerLost.name(), TokenEvent::Refreshed.name())
    )?;
    if is_known { Ok(()) } else { record(transaction, token_stream_id, TokenEvent::AnswerLost).await }
}

/// The state that a stream has from now on, if it is another one than before.
pub(crate) async fn record_change(
    transaction: &mut Access,
    token_stream_id: TokenStreamId,
    from: StreamState,
    to: StreamState,
) -> Result<(), StoreError> {
    if from == to {
        return Ok(());
    }
    record(transaction, token_stream_id, TokenEvent::StateChanged { from, to }).await
}

/// Of a stream that is still there.
pub(crate) async fn record(
    transaction: &mut Access,
    token_stream_id: TokenStreamId,
    event: TokenEvent<'_>,
) -> Result<(), StoreError> {
    dialect!(*transaction, record(token_stream_id, event.name(), event.detail().as_deref()))
}
