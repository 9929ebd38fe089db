//! Corporations whose lists are due, and in which corporations those are that might read them.

use std::time::Duration;

use domain::job::AFFILIATIONS_PER_JOB_MAX;
use domain::{CharacterId, CorporationId, Job, Lane, SyncMode};

use super::{PublishedJobs, Tick, lost, unmark};

impl<P: AsyncFn(Vec<Job>) -> PublishedJobs> Tick<'_, P> {
    /// Whether there is a director whose login serves is found out by the job: here it is not known.
    pub(super) async fn corporations(&mut self) -> anyhow::Result<()> {
        if self.esi_pauses || self.stop.is_cancelled() {
            return Ok(());
        }
        let filter = self.options.filter;
        if self.options.dry_run {
            self.summary.queued_corporation += self.store.count_due_corporations(filter).await.map_err(lost)?;
            return Ok(());
        }
        if self.affiliations().await? {
            // With what is learned there may be a director for one that has none now: the next tick asks.
            return Ok(());
        }
        if self.all_corporations {
            self.store.add_corporations_of_logins().await.map_err(lost)?;
        }
        if self.room.list == 0 {
            self.left_behind.insert(Lane::List);
            return Ok(());
        }
        let claimed = self.store.claim_due_corporations(filter, self.room.list).await.map_err(lost)?;
        if claimed.is_empty() {
            return Ok(());
        }
        let mode = if filter.full { SyncMode::Full } else { SyncMode::New };
        let job = |corporation_id| Job::SyncCorporationList { corporation_id, mode };
        let published = (self.publish)(claimed.iter().copied().map(job).collect()).await;
        let (taken, not_taken): (Vec<_>, Vec<_>) =
            claimed.into_iter().zip(published.confirmed).partition(|(_, confirmed)| *confirmed);
        self.room.list = self.room.list.saturating_sub(u32::try_from(taken.len())?);
        self.summary.queued_corporation += taken.len() as u64;
        if !not_taken.is_empty() {
            let ids: Vec<CorporationId> = not_taken.into_iter().map(|(corporation_id, _)| corporation_id).collect();
            unmark(self.store.unmark_corporations(&ids).await);
            self.left_behind.insert(Lane::List);
        }
        published.failure.map_or(Ok(()), Err)
    }

    /// One job for all of them, and one in a tick: ESI's route for it is to be asked one at a time.
    /// Returns whether there was anything to ask.
    async fn affiliations(&mut self) -> anyhow::Result<bool> {
        if self.room.list == 0 {
            return Ok(false);
        }
        let limit = u32::try_from(AFFILIATIONS_PER_JOB_MAX)?;
        let character_ids: Vec<CharacterId> =
            self.store.claim_due_affiliations(self.all_corporations, limit).await.map_err(lost)?;
        if character_ids.is_empty() {
            return Ok(false);
        }
        self.room.list -= 1;
        let published = (self.publish)(vec![Job::LearnAffiliations { character_ids: character_ids.clone() }]).await;
        if published.confirmed == [true] {
            self.summary.queued_affiliations += character_ids.len() as u64;
        } else {
            unmark(self.store.put_off_affiliations(&character_ids, Duration::ZERO).await);
        }
        published.failure.map_or(Ok(true), Err)
    }
}
