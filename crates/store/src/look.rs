//! The hourly look at token streams that nobody uses: which of them are due, the mark that a tick has asked for one,
//! and what a look has found.
//!
//! The rule is [`domain::token::look`]'s. The mark stays when the look is done: by it the ticks know how many were asked
//! for within the last hour.

mod postgres;
mod sqlite;

use chrono::{DateTime, Utc};
use domain::TokenStreamId;
use domain::token::TokenEvent;
use domain::token::look::{self, AGAIN_AFTER, LOOK_AFTER};

use crate::access::dialect;
use crate::token_stream::AccessToken;
use crate::{Store, StoreError, token_event};

/// What is known of a stream that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueLook {
    /// Nobody has heard of its access token for an hour.
    AccessToken,
    /// It has none any more: it was not taken, before its time, and no refresh has yet told what that means.
    Discarded,
}

impl Store {
    /// Streams that are due and that a tick may ask for now, in an even spread over the hour; those that nobody has heard
    /// of for the longest time first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_looks(&self) -> Result<Vec<TokenStreamId>, StoreError> {
        let mut access = self.read("looking for streams to look at").await?;
        let asked = dialect!(access, asked())?;
        let since_the_last = asked.last_at.map(|at| (asked.now - at).to_std().unwrap_or_default());
        let room = look::room(asked.streams.unsigned_abs(), asked.within_the_hour.unsigned_abs(), since_the_last);
        if room == 0 {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        let due = dialect!(access, due(LOOK_AFTER, AGAIN_AFTER, limit))?;
        due.into_iter().map(|id| TokenStreamId::parse(id).map_err(StoreError::unexpected)).collect()
    }

    /// Marks these streams as asked for, and gives those that nobody else has asked for meanwhile.
    ///
    /// # Errors
    /// When the database does not answer: then none is marked.
    pub async fn claim_looks(&self, streams: &[TokenStreamId]) -> Result<Vec<TokenStreamId>, StoreError> {
        let ids: Vec<i64> = streams.iter().map(|id| id.get()).collect();
        let mut access = self.change("asking for streams to be looked at").await?;
        let claimed = dialect!(access, claim(&ids, AGAIN_AFTER))?;
        access.commit().await?;
        claimed.into_iter().map(|id| TokenStreamId::parse(id).map_err(StoreError::unexpected)).collect()
    }

    /// Takes back the marks of jobs that were not taken.
    ///
    /// # Errors
    /// When the database does not answer: the marks go stale by themselves.
    pub async fn unmark_looks(&self, streams: &[TokenStreamId]) -> Result<(), StoreError> {
        let ids: Vec<i64> = streams.iter().map(|id| id.get()).collect();
        let mut access = self.change("taking back hints of token streams").await?;
        dialect!(access, unmark(&ids))?;
        access.commit().await
    }

    /// What is to be looked at, if the stream is due still: since it was asked for it may have been used, refreshed or
    /// refused, or its access token may have ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_look(&self, token_stream_id: TokenStreamId) -> Result<Option<DueLook>, StoreError> {
        let mut access = self.read("looking at a stream to look at").await?;
        let has_access_token = dialect!(access, one(token_stream_id, LOOK_AFTER))?;
        Ok(has_access_token.map(|has_one| if has_one { DueLook::AccessToken } else { DueLook::Discarded }))
    }

    /// The provider says that the access token stands.
    ///
    /// # Errors
    /// When the database does not answer: it is looked at again.
    pub async fn record_stands(&self, token_stream_id: TokenStreamId) -> Result<(), StoreError> {
        let mut access = self.change("recording that an access token stands").await?;
        dialect!(access, set_looked_at(token_stream_id))?;
        access.commit().await
    }

    /// The provider says that this access token is not good any more, before its time: it goes, and the row says so until
    /// a refresh tells what it means for the login. Nothing happens when another one stands in the row by now.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn record_revoked(&self, token: &AccessToken, why: &str) -> Result<(), StoreError> {
        let mut transaction = self.transaction("recording a revoked access token").await?;
        if dialect!(transaction, revoke(token, why))? {
            token_event::record(&mut transaction, token.token_stream_id, TokenEvent::AccessRevoked).await?;
        }
        transaction.commit().await
    }
}

/// What the ticks have asked for lately.
#[derive(sqlx::FromRow)]
struct Asked {
    /// That could be looked at by now.
    streams: i64,
    within_the_hour: i64,
    last_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}
