//! One tick: load what is due, decide (`domain::plan`), claim, publish.
//!
//! A row is marked before its hint is published and unmarked when the hint was not taken; a crash in between leaves a
//! mark that goes stale after five minutes. So a hint may be lost or doubled, but no row is ever forgotten. Where the
//! hints go is the caller's business: the broker's lanes, or those of this very process.

mod corporations;
mod token_streams;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use domain::job::KILLMAILS_PER_JOB_MAX;
use domain::plan::{self, Plan, TickSummary};
use domain::{CharacterId, Job, KillmailId, Lane, SyncMode, TokenStreamId};
use service::classed;
use store::due::{DueFilter, DuePage};
use store::{Store, StoreError, pause};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::report::count;
use crate::room::Room;

/// Characters that are looked at, claimed and published together.
const CHARACTERS_PER_ROUND: u32 = 500;

/// How a tick looks, beyond what is due.
#[derive(Debug, Clone, Copy, Default)]
pub struct TickOptions {
    pub filter: DueFilter,
    /// Say what would be queued, and touch nothing.
    pub dry_run: bool,
}

#[derive(Debug, Clone)]
pub struct Scheduler {
    pub store: Store,
    /// A token that does not outlive this goes to the refresh lane first.
    pub token_buffer: Duration,
    /// Lists are read of all corporations of which somebody has a login for it, not only of those that were added.
    pub all_corporations: bool,
}

/// What became of hints that were to be published.
#[derive(Debug)]
pub struct PublishedJobs {
    /// One for each job, in their order. A job that was not taken is due again at once.
    pub confirmed: Vec<bool>,
    /// What went wrong. Without it, a job was not taken because its lane had no room after all.
    pub failure: Option<anyhow::Error>,
}

/// What a tick did, also one that was broken off.
#[derive(Debug)]
pub struct Ticked {
    pub summary: TickSummary,
    /// Lanes for which more may be due than they had room for.
    pub left_behind: BTreeSet<Lane>,
    pub ended: anyhow::Result<()>,
}

impl Scheduler {
    /// `room` is what the lanes can take now, and `publish` puts jobs into them. A tick that was told to stop ends between
    /// two rounds; what it has claimed is published. The summary tells what was done, also when the database or the broker
    /// went away in the middle: everything that was not confirmed stays due.
    pub async fn tick(
        &self,
        options: TickOptions,
        room: Room,
        publish: impl AsyncFn(Vec<Job>) -> PublishedJobs,
        stop: &CancellationToken,
    ) -> Ticked {
        let Self { store, token_buffer, all_corporations } = self;
        let mut tick = Tick {
            store,
            token_buffer: *token_buffer,
            all_corporations: *all_corporations,
            options,
            room,
            publish,
            stop,
            summary: TickSummary::default(),
            left_behind: BTreeSet::new(),
            sso_pauses: false,
            esi_pauses: false,
            refreshed: HashSet::new(),
        };
        let ended = tick.rounds().await;
        count(&tick.summary);
        Ticked { summary: tick.summary, left_behind: tick.left_behind, ended }
    }
}

/// A tick on its way.
struct Tick<'a, P> {
    store: &'a Store,
    token_buffer: Duration,
    all_corporations: bool,
    options: TickOptions,
    room: Room,
    publish: P,
    stop: &'a CancellationToken,
    summary: TickSummary,
    left_behind: BTreeSet<Lane>,
    /// All calls to the token endpoint pause: whoever needs one stays due until that is over.
    sso_pauses: bool,
    /// All calls to ESI pause: a character whose list would only be put off stays due.
    esi_pauses: bool,
    /// Streams that are refreshed for their characters' sake.
    refreshed: HashSet<TokenStreamId>,
}

/// In a summary, of characters that wait for the end of a pause of all refreshes.
const SSO_PAUSED: &str = "sso_paused";
/// The same of a pause of all calls to ESI.
const ESI_PAUSED: &str = "esi_paused";

impl<P: AsyncFn(Vec<Job>) -> PublishedJobs> Tick<'_, P> {
    async fn rounds(&mut self) -> anyhow::Result<()> {
        let is_for_all = self.options.filter.character_id.is_none();
        // Told to wait, not even the one login is tried.
        if !self.options.dry_run && !self.is_paused(&[pause::SCOPE_SSO_WAIT]).await? {
            self.canary().await?;
        }
        self.sso_pauses = self.is_paused(&pause::SCOPES_OF_REFRESHES).await?;
        self.esi_pauses = self.is_paused(&[pause::SCOPE_ESI]).await?;
        if is_for_all {
            // They are few: a long backlog of characters must not keep them out of the lane.
            self.corporations().await?;
        }
        self.characters().await?;
        if is_for_all {
            self.exercises().await?;
            self.looks().await?;
            self.killmails().await?;
        }
        if !self.options.dry_run {
            let pruned = self.store.prune_sync_runs().await.map_err(lost)?;
            debug!(pruned, "old records of list walks removed");
            let pruned = self.store.prune_token_events().await.map_err(lost)?;
            debug!(pruned, "old records of token streams removed");
        }
        Ok(())
    }

    async fn characters(&mut self) -> anyhow::Result<()> {
        let TickOptions { filter, dry_run } = self.options;
        let mut after = None;
        loop {
            if self.room.list == 0 && self.room.refresh == 0 {
                warn!("the lanes are full: the rest waits for the next tick");
                self.left_behind.extend([Lane::List, Lane::Refresh]);
                return Ok(());
            }
            let page = self.store.due_characters(filter, after, CHARACTERS_PER_ROUND).await.map_err(lost)?;
            let mut jobs = self.decide(&page);
            if dry_run {
                self.count(&jobs);
            } else {
                let ids: Vec<CharacterId> = jobs.iter().map(|(character_id, _)| *character_id).collect();
                let claimed = self.store.claim_due_characters(filter, &ids).await.map_err(lost)?;
                let claimed: HashSet<CharacterId> = claimed.into_iter().collect();
                self.summary.due -= (ids.len() - claimed.len()) as u64;
                jobs.retain(|(character_id, _)| claimed.contains(character_id));
                self.publish_characters(jobs).await?;
            }
            after = page.next;
            if after.is_none() || self.stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// Characters whose lane is full stay due.
    fn decide(&mut self, page: &DuePage) -> Vec<(CharacterId, Job)> {
        let mode = if self.options.filter.full { SyncMode::Full } else { SyncMode::New };
        let mut jobs = Vec::new();
        for character in &page.characters {
            self.summary.due += 1;
            match plan::plan(character, mode, page.now, self.token_buffer) {
                Plan::Queue(_) if self.esi_pauses => *self.summary.skipped.entry(ESI_PAUSED).or_default() += 1,
                Plan::Queue(job) if self.sso_pauses && job.lane() == Lane::Refresh => {
                    *self.summary.skipped.entry(SSO_PAUSED).or_default() += 1;
                }
                Plan::Queue(job) if self.room.take(job.lane()) => {
                    if let Job::RefreshToken { token_stream_id, .. } = &job {
                        self.refreshed.insert(*token_stream_id);
                    }
                    jobs.push((character.character_id, job));
                }
                Plan::Queue(job) => self.waits_for_room(&job),
                Plan::Skip(reason) => *self.summary.skipped.entry(reason.name()).or_default() += 1,
            }
        }
        jobs
    }

    async fn publish_characters(&mut self, jobs: Vec<(CharacterId, Job)>) -> anyhow::Result<()> {
        let published = (self.publish)(jobs.iter().map(|(_, job)| job.clone()).collect()).await;
        let (confirmed, unconfirmed): (Vec<_>, Vec<_>) =
            jobs.into_iter().zip(published.confirmed).partition(|(_, confirmed)| *confirmed);
        self.count(&confirmed.into_iter().map(|(job, _)| job).collect::<Vec<_>>());
        if !unconfirmed.is_empty() {
            let ids: Vec<CharacterId> = unconfirmed.iter().map(|((character_id, _), _)| *character_id).collect();
            unmark(self.store.unmark_characters(&ids).await);
        }
        match published.failure {
            Some(failure) => {
                self.summary.unconfirmed += unconfirmed.len() as u64;
                Err(failure)
            }
            None => {
                unconfirmed.iter().for_each(|((_, job), _)| self.waits_for_room(job));
                Ok(())
            }
        }
    }

    fn count(&mut self, jobs: &[(CharacterId, Job)]) {
        let in_lane = |lane| jobs.iter().filter(|(_, job)| job.lane() == lane).count() as u64;
        self.summary.queued_list += in_lane(Lane::List);
        self.summary.queued_refresh += in_lane(Lane::Refresh);
    }

    fn waits_for_room(&mut self, job: &Job) {
        self.summary.waiting_for_room += 1;
        self.left_behind.insert(job.lane());
    }

    /// All that are due, on whosever list, up to what the lane can take.
    async fn killmails(&mut self) -> anyhow::Result<()> {
        if self.options.dry_run {
            self.summary.queued_detail_killmails = self.store.count_due_killmails().await.map_err(lost)?;
            return Ok(());
        }
        // Whatever was queued now would only be put off to the end of the pause, row by row: with a long backlog, all
        // of it again and again.
        if self.is_paused(&[pause::SCOPE_ESI, pause::SCOPE_BODIES]).await? {
            return Ok(());
        }
        let limit = self.room.detail.saturating_mul(u32::try_from(KILLMAILS_PER_JOB_MAX)?);
        if limit == 0 {
            self.left_behind.insert(Lane::Detail);
        }
        if limit == 0 || self.stop.is_cancelled() {
            return Ok(());
        }
        let killmail_ids = self.store.claim_due_killmails(limit).await.map_err(lost)?;
        let published = (self.publish)(Job::fetch_details(&killmail_ids).collect()).await;
        let mut unconfirmed: Vec<KillmailId> = Vec::new();
        for (killmail_ids, confirmed) in killmail_ids.chunks(KILLMAILS_PER_JOB_MAX).zip(published.confirmed) {
            if confirmed {
                self.summary.queued_detail_killmails += killmail_ids.len() as u64;
            } else {
                unconfirmed.extend(killmail_ids);
            }
        }
        if killmail_ids.len() >= limit as usize || !unconfirmed.is_empty() {
            self.left_behind.insert(Lane::Detail);
        }
        if !unconfirmed.is_empty() {
            unmark(self.store.unmark_killmails(&unconfirmed).await);
        }
        match published.failure {
            Some(failure) => {
                self.summary.unconfirmed += unconfirmed.len() as u64;
                Err(failure)
            }
            None => Ok(()),
        }
    }

    async fn is_paused(&self, scopes: &[&str]) -> anyhow::Result<bool> {
        let pauses = self.store.pauses().await.map_err(lost)?;
        Ok(pauses.iter().any(|pause| scopes.contains(&pause.scope.as_str())))
    }
}

/// A mark that cannot be taken back goes stale by itself.
fn unmark(unmarked: Result<(), StoreError>) {
    if let Err(error) = unmarked {
        error!(reason = %error.failure(), "hints that were not confirmed could not be taken back: they go stale in five minutes");
    }
}

fn lost(error: StoreError) -> anyhow::Error {
    classed(error.failure())
}
