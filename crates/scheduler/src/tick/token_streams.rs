//! Token streams that a tick asks for by themselves, whether their characters need them or not.

use domain::{Job, TokenStreamId};
use store::pause;

use super::{PublishedJobs, Tick, lost, unmark};

impl<P: AsyncFn(Vec<Job>) -> PublishedJobs> Tick<'_, P> {
    /// One login is tried while all others wait because so many were refused. If its job is not taken, another one is
    /// in a minute.
    pub(super) async fn canary(&mut self) -> anyhow::Result<()> {
        let Some(token_stream_id) = self.store.claim_canary().await.map_err(lost)? else { return Ok(()) };
        let published = (self.publish)(vec![Job::ExerciseToken { token_stream_id }]).await;
        self.summary.queued_exercise += u64::from(published.confirmed == [true]);
        published.failure.map_or(Ok(()), Err)
    }

    /// Streams that nobody needs just now are refreshed for their own sake, some in every hour.
    pub(super) async fn exercises(&mut self) -> anyhow::Result<()> {
        if self.sso_pauses || self.stop.is_cancelled() {
            return Ok(());
        }
        let due = self.store.due_exercises().await.map_err(lost)?;
        let due = self.with_room(due)?;
        if self.options.dry_run {
            self.summary.queued_exercise += due.len() as u64;
            return Ok(());
        }
        if due.is_empty() {
            return Ok(());
        }
        let claimed = self.store.claim_exercises(&due).await.map_err(lost)?;
        let job = |token_stream_id| Job::ExerciseToken { token_stream_id };
        let Published { confirmed, not_taken, ended } = self.publish_streams(claimed, job).await;
        self.summary.queued_exercise += confirmed;
        if !not_taken.is_empty() {
            unmark(self.store.unmark_exercises(&not_taken).await);
        }
        ended
    }

    /// Streams that nobody has heard of for an hour, although their access tokens live on.
    pub(super) async fn looks(&mut self) -> anyhow::Result<()> {
        let scopes = [pause::SCOPE_SSO, pause::SCOPE_SSO_WAIT, pause::SCOPE_VALIDATE];
        if self.stop.is_cancelled() || self.is_paused(&scopes).await? {
            return Ok(());
        }
        let due = self.store.due_looks().await.map_err(lost)?;
        let due = self.with_room(due)?;
        if self.options.dry_run {
            self.summary.queued_look += due.len() as u64;
            return Ok(());
        }
        if due.is_empty() {
            return Ok(());
        }
        let claimed = self.store.claim_looks(&due).await.map_err(lost)?;
        let job = |token_stream_id| Job::LookAtToken { token_stream_id };
        let Published { confirmed, not_taken, ended } = self.publish_streams(claimed, job).await;
        self.summary.queued_look += confirmed;
        if !not_taken.is_empty() {
            unmark(self.store.unmark_looks(&not_taken).await);
        }
        ended
    }

    /// Those that are not refreshed for their characters' sake in any case, as many as the lane can take.
    fn with_room(&mut self, mut due: Vec<TokenStreamId>) -> anyhow::Result<Vec<TokenStreamId>> {
        due.retain(|token_stream_id| !self.refreshed.contains(token_stream_id));
        due.truncate(usize::try_from(self.room.refresh)?);
        self.room.refresh -= u32::try_from(due.len())?;
        Ok(due)
    }

    async fn publish_streams(&self, streams: Vec<TokenStreamId>, job: impl Fn(TokenStreamId) -> Job) -> Published {
        let published = (self.publish)(streams.iter().copied().map(job).collect()).await;
        let confirmed = published.confirmed.iter().filter(|confirmed| **confirmed).count() as u64;
        let taken = streams.into_iter().zip(published.confirmed);
        let not_taken = taken.filter(|(_, confirmed)| !confirmed).map(|(stream, _)| stream).collect();
        Published { confirmed, not_taken, ended: published.failure.map_or(Ok(()), Err) }
    }
}

/// What became of jobs for token streams.
struct Published {
    confirmed: u64,
    not_taken: Vec<TokenStreamId>,
    ended: anyhow::Result<()>,
}
