//! Token streams that are refreshed for their own sake: which of them are due, and the mark that a tick has asked for
//! them.
//!
//! The rule is [`domain::token::exercise`]'s. The mark stays when the refresh is done: by it the ticks know how many
//! were asked for within the last hour. One in the future is of a clock that was wrong, and counts for nothing.

mod postgres;
mod sqlite;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::TokenStreamId;
use domain::token::exercise::{self, AGAIN_AFTER, UNUSED_MIN};

use crate::access::dialect;
use crate::token_stream::health;
use crate::{Store, StoreError};

/// Looked at in one statement. Most of a fleet that was imported at once are candidates for days before they are due.
const STREAMS_PER_PAGE: u32 = 10_000;

impl Store {
    /// Streams that are due and that a tick may ask for now, those that are probed first, then those that were not used
    /// for the longest time; never more than are due in an even spread over the hour.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_exercises(&self) -> Result<Vec<TokenStreamId>, StoreError> {
        let mut access = self.read("looking for streams to exercise").await?;
        let asked = dialect!(access, asked(AGAIN_AFTER))?;
        let since_the_last = asked.last_at.map(|at| (asked.now - at).to_std().unwrap_or_default());
        let room = exercise::room(asked.streams.unsigned_abs(), asked.within_the_hour.unsigned_abs(), since_the_last);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let unused_for = UNUSED_MIN.to_std().unwrap_or(Duration::MAX);
        let (mut due, mut last) = (Vec::new(), None);
        while due.len() < room {
            let page = dialect!(access, candidates(unused_for, AGAIN_AFTER, last.as_ref(), STREAMS_PER_PAGE))?;
            for row in &page {
                due.extend(row.if_due()?);
            }
            if page.len() < STREAMS_PER_PAGE as usize {
                break;
            }
            last = page.into_iter().next_back();
        }
        due.truncate(room);
        Ok(due)
    }

    /// Marks these streams as asked for, and gives those that nobody else has asked for meanwhile.
    ///
    /// # Errors
    /// When the database does not answer: then none is marked.
    pub async fn claim_exercises(&self, streams: &[TokenStreamId]) -> Result<Vec<TokenStreamId>, StoreError> {
        let ids: Vec<i64> = streams.iter().map(|id| id.get()).collect();
        let mut access = self.change("asking for streams to be exercised").await?;
        let claimed = dialect!(access, claim(&ids, AGAIN_AFTER))?;
        access.commit().await?;
        claimed.into_iter().map(|id| TokenStreamId::parse(id).map_err(StoreError::unexpected)).collect()
    }

    /// Takes back the marks of jobs that were not taken.
    ///
    /// # Errors
    /// When the database does not answer: the marks go stale by themselves.
    pub async fn unmark_exercises(&self, streams: &[TokenStreamId]) -> Result<(), StoreError> {
        let ids: Vec<i64> = streams.iter().map(|id| id.get()).collect();
        let mut access = self.change("taking back hints of token streams").await?;
        dialect!(access, unmark(&ids))?;
        access.commit().await
    }

    /// Whether a stream is due still: it may have been refreshed since it was asked for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_exercise_due(&self, token_stream_id: TokenStreamId) -> Result<bool, StoreError> {
        let row = dialect!(self.read("looking at a stream to exercise").await?, one(token_stream_id))?;
        Ok(row.as_ref().map(Unused::if_due).transpose()?.flatten().is_some())
    }
}

/// What the ticks have asked for lately.
#[derive(sqlx::FromRow)]
struct Asked {
    /// That could be exercised at all.
    streams: i64,
    within_the_hour: i64,
    last_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Unused {
    token_stream_id: i64,
    state: String,
    strikes: i32,
    first_refused_at: Option<DateTime<Utc>>,
    next_probe_at: Option<DateTime<Utc>>,
    unused_since: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Unused {
    fn if_due(&self) -> Result<Option<TokenStreamId>, StoreError> {
        let token_stream_id = TokenStreamId::parse(self.token_stream_id).map_err(StoreError::unexpected)?;
        let health = health(&self.state, self.strikes, self.first_refused_at, self.next_probe_at)?;
        Ok(exercise::is_due(token_stream_id, &health, self.unused_since, self.now).then_some(token_stream_id))
    }
}
