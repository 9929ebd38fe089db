//! The schedule of a bucket of ESI's budget that all workers share ([`domain::pace`]).
//!
//! Whoever takes turns holds the lock of the bucket's row while it writes what it has taken. What a process takes and
//! does not use is lost, and it takes little at once.

mod postgres;
mod sqlite;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::pace::{Allowance, CALL_TOKENS, Schedule};

use crate::access::{Access, dialect};
use crate::{Store, StoreError};

/// Turns of one process, at even distances.
#[derive(Debug, Clone, Copy)]
pub struct Turns {
    /// None when the bucket is used up.
    pub count: u32,
    /// When the first one is, from now on; without a turn, when to ask again.
    pub first_in: Duration,
    pub every: Duration,
    /// What the schedule was made for.
    pub allowance: Allowance,
    /// As of when they count as used.
    pub counted_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    limit_tokens: i32,
    window_seconds: i32,
    free_at: DateTime<Utc>,
    now: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Spent {
    tokens: i64,
    oldest_at: Option<DateTime<Utc>>,
}

impl Store {
    /// The next turns of a bucket; `unless_known` is its allowance until an answer has told it.
    ///
    /// # Errors
    /// When the database does not answer: no turn is taken.
    pub async fn take_turns(&self, bucket: &str, unless_known: Allowance) -> Result<Turns, StoreError> {
        let mut transaction = self.transaction("taking turns to call ESI").await?;
        let row = locked(&mut transaction, bucket, unless_known).await?;
        let window = Duration::from_secs(u64::from(row.window_seconds.unsigned_abs()));
        let allowance = Allowance { tokens: row.limit_tokens.unsigned_abs(), window };
        dialect!(transaction, forget_spent(bucket, window))?;
        let spent = dialect!(transaction, spent(bucket))?;
        let Row { free_at, now, .. } = row;
        let spent_tokens = u32::try_from(spent.tokens).unwrap_or(u32::MAX);
        let taken = allowance.take(&Schedule { free_at, spent_tokens, oldest_at: spent.oldest_at, now });
        dialect!(transaction, set_free_at(bucket, taken.free_at))?;
        let counted_at = taken.free_at.max(now);
        if taken.count > 0 {
            let tokens = i32::try_from(taken.count * CALL_TOKENS).unwrap_or(i32::MAX);
            dialect!(transaction, add_spent(bucket, counted_at, tokens))?;
        }
        transaction.commit().await?;
        let first_in = (taken.first_at - now).to_std().unwrap_or_default();
        Ok(Turns { count: taken.count, first_in, every: taken.every, allowance, counted_at })
    }

    /// Turns that were taken and not used can be taken by others. `counted_at` is that of [`Turns`]: what is given back is
    /// forgotten together with what was taken, and never counts for more than that.
    ///
    /// # Errors
    /// When the database does not answer: then they are lost until they are a window old.
    pub async fn give_back_turns(&self, bucket: &str, count: u32, counted_at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut access = self.change("giving turns to call ESI back").await?;
        let tokens = i32::try_from(count * CALL_TOKENS).unwrap_or(i32::MAX);
        dialect!(access, add_spent(bucket, counted_at, -tokens))?;
        access.commit().await
    }

    /// What ESI says of a bucket: its allowance, what is left, and that a call has cost more than it was to.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn charge(
        &self,
        bucket: &str,
        allowance: Allowance,
        remaining: u32,
        extra_tokens: u32,
    ) -> Result<(), StoreError> {
        let mut transaction = self.transaction("charging a call to ESI").await?;
        locked(&mut transaction, bucket, allowance).await?;
        if extra_tokens > 0 {
            dialect!(transaction, add_spent_now(bucket, i32::try_from(extra_tokens).unwrap_or(i32::MAX)))?;
        }
        let (tokens, window_seconds) = columns(allowance);
        let remaining = i32::try_from(remaining).unwrap_or(i32::MAX);
        dialect!(transaction, set_seen(bucket, tokens, window_seconds, remaining))?;
        transaction.commit().await
    }
}

/// One that nobody has asked for yet is there afterwards.
async fn locked(transaction: &mut Access, bucket: &str, unless_known: Allowance) -> Result<Row, StoreError> {
    if !dialect!(*transaction, lock(bucket))? {
        let (tokens, window_seconds) = columns(unless_known);
        dialect!(*transaction, add(bucket, tokens, window_seconds))?;
        dialect!(*transaction, lock(bucket))?;
    }
    dialect!(*transaction, row(bucket))
}

fn columns(allowance: Allowance) -> (i32, i32) {
    let tokens = i32::try_from(allowance.tokens).unwrap_or(i32::MAX);
    (tokens, i32::try_from(allowance.window.as_secs()).unwrap_or(i32::MAX))
}
