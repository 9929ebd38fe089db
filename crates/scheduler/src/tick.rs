//! One tick: load what is due, decide (`domain::plan`), claim, publish.
//!
//! A row is marked before its hint is published and unmarked when the broker does not confirm it; a crash in between
//! leaves a mark that goes stale after five minutes. So a hint may be lost or doubled, but no row is ever forgotten.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use broker::{BrokerError, Publisher, message_for};
use domain::job::KILLMAILS_PER_JOB_MAX;
use domain::plan::{self, Plan, TickSummary};
use domain::{CharacterId, Job, KillmailId, Lane, SyncMode};
use service::classed;
use store::due::{DueFilter, DuePage};
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};
use uuid::Uuid;

/// Characters that are looked at, claimed and published together.
const CHARACTERS_PER_ROUND: u32 = 500;
/// Hints of a lane that may stand in the broker: enough to keep every worker busy between two ticks, few enough that
/// losing the broker costs little and a late decision is not late by much.
const HINTS_PER_LANE_MAX: u32 = 5_000;
/// A hint of the detail lane is 50 killmails, and ESI gives an address about 600 in five minutes.
const DETAIL_HINTS_MAX: u32 = 100;

/// How a tick looks, beyond what is due.
#[derive(Debug, Clone, Copy, Default)]
pub struct TickOptions {
    pub filter: DueFilter,
    /// Say what would be queued, and touch nothing.
    pub dry_run: bool,
}

#[derive(Clone)]
pub struct Scheduler {
    pub store: Store,
    pub publisher: Arc<Publisher>,
    /// A token that does not outlive this goes to the refresh lane first.
    pub token_buffer: Duration,
}

impl Scheduler {
    /// A tick that was told to stop ends between two rounds; what it has claimed is published. The summary tells what was
    /// done, also when the database or the broker went away in the middle: everything that was not confirmed stays due.
    pub async fn tick(&self, options: TickOptions, stop: &CancellationToken) -> (TickSummary, anyhow::Result<()>) {
        let mut summary = TickSummary::default();
        let ended = self.rounds(options, stop, &mut summary).await;
        (summary, ended)
    }

    async fn rounds(
        &self,
        options: TickOptions,
        stop: &CancellationToken,
        summary: &mut TickSummary,
    ) -> anyhow::Result<()> {
        let mut room = if options.dry_run { Room::endless() } else { self.room().await.map_err(failed)? };
        self.tick_characters(options, stop, &mut room, summary).await?;
        if options.filter.character_id.is_none() {
            self.tick_killmails(options.dry_run, stop, &room, summary).await?;
        }
        if !options.dry_run {
            let pruned = self.store.prune_sync_runs().await.map_err(lost)?;
            debug!(pruned, "old records of list walks removed");
        }
        Ok(())
    }

    async fn tick_characters(
        &self,
        options: TickOptions,
        stop: &CancellationToken,
        room: &mut Room,
        summary: &mut TickSummary,
    ) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            if room.list == 0 && room.refresh == 0 {
                warn!("the lanes are full: the rest waits for the next tick");
                return Ok(());
            }
            let page = self.store.due_characters(options.filter, after, CHARACTERS_PER_ROUND).await.map_err(lost)?;
            let mut round = self.decide(&page, options.filter, room, summary);
            if options.dry_run {
                round.count(summary);
            } else {
                let ids: Vec<CharacterId> = round.jobs.iter().map(|(character_id, _)| *character_id).collect();
                let claimed = self.store.claim_due_characters(options.filter, &ids).await.map_err(lost)?;
                let claimed: HashSet<CharacterId> = claimed.into_iter().collect();
                summary.due -= (ids.len() - claimed.len()) as u64;
                round.jobs.retain(|(character_id, _)| claimed.contains(character_id));
                self.publish_characters(&round, summary).await?;
            }
            after = page.next;
            if after.is_none() || stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// Characters whose lane is full stay due.
    fn decide(&self, page: &DuePage, filter: DueFilter, room: &mut Room, summary: &mut TickSummary) -> Round {
        let mode = if filter.full { SyncMode::Full } else { SyncMode::New };
        let mut jobs = Vec::new();
        for character in &page.characters {
            summary.due += 1;
            match plan::plan(character, mode, page.now, self.token_buffer) {
                Plan::Queue(job) if room.take(job.lane()) => jobs.push((character.character_id, job)),
                Plan::Queue(_) => summary.waiting_for_room += 1,
                Plan::Skip(reason) => *summary.skipped.entry(reason.name()).or_default() += 1,
            }
        }
        Round { jobs }
    }

    async fn publish_characters(&self, round: &Round, summary: &mut TickSummary) -> anyhow::Result<()> {
        let jobs: Vec<Job> = round.jobs.iter().map(|(_, job)| job.clone()).collect();
        let published = self.publish(jobs).await;
        let (confirmed, unconfirmed): (Vec<_>, Vec<_>) =
            round.jobs.iter().cloned().zip(&published.confirmed).partition(|(_, confirmed)| **confirmed);
        let confirmed = Round { jobs: confirmed.into_iter().map(|(job, _)| job).collect() };
        confirmed.count(summary);
        if let Some(failure) = published.failure {
            let ids: Vec<CharacterId> = unconfirmed.iter().map(|((character_id, _), _)| *character_id).collect();
            summary.unconfirmed += ids.len() as u64;
            unmark(self.store.unmark_characters(&ids).await);
            return Err(failed(failure));
        }
        Ok(())
    }

    async fn tick_killmails(
        &self,
        dry_run: bool,
        stop: &CancellationToken,
        room: &Room,
        summary: &mut TickSummary,
    ) -> anyhow::Result<()> {
        if dry_run {
            summary.queued_detail_killmails = self.store.count_due_killmails().await.map_err(lost)?;
            return Ok(());
        }
        let limit = room.detail.saturating_mul(u32::try_from(KILLMAILS_PER_JOB_MAX)?);
        if limit == 0 || stop.is_cancelled() {
            return Ok(());
        }
        let killmail_ids = self.store.claim_due_killmails(limit).await.map_err(lost)?;
        let jobs: Vec<Job> = Job::fetch_details(&killmail_ids).collect();
        let published = self.publish(jobs).await;
        let mut unconfirmed: Vec<KillmailId> = Vec::new();
        for (killmail_ids, confirmed) in killmail_ids.chunks(KILLMAILS_PER_JOB_MAX).zip(&published.confirmed) {
            if *confirmed {
                summary.queued_detail_killmails += killmail_ids.len() as u64;
            } else {
                unconfirmed.extend(killmail_ids);
            }
        }
        if let Some(failure) = published.failure {
            summary.unconfirmed += unconfirmed.len() as u64;
            unmark(self.store.unmark_killmails(&unconfirmed).await);
            return Err(failed(failure));
        }
        Ok(())
    }

    async fn publish(&self, jobs: Vec<Job>) -> PublishedJobs {
        let messages: Vec<_> = jobs.into_iter().map(|job| message_for(job, Uuid::now_v7())).collect();
        let published = self.publisher.publish(&messages).await;
        PublishedJobs {
            confirmed: messages.iter().map(|message| published.confirmed.contains(&message.job_id)).collect(),
            failure: published.failure,
        }
    }

    /// How many hints each lane can still take.
    async fn room(&self) -> Result<Room, BrokerError> {
        let left = async |lane, most: u32| Ok(most.saturating_sub(self.publisher.ready_messages(lane).await?));
        Ok(Room {
            list: left(Lane::List, HINTS_PER_LANE_MAX).await?,
            detail: left(Lane::Detail, DETAIL_HINTS_MAX).await?,
            refresh: left(Lane::Refresh, HINTS_PER_LANE_MAX).await?,
        })
    }
}

struct PublishedJobs {
    /// One for each job, in their order.
    confirmed: Vec<bool>,
    failure: Option<BrokerError>,
}

/// Characters that go to a lane together.
struct Round {
    jobs: Vec<(CharacterId, Job)>,
}

impl Round {
    fn in_lane(&self, lane: Lane) -> u32 {
        let jobs = self.jobs.iter().filter(|(_, job)| job.lane() == lane).count();
        u32::try_from(jobs).unwrap_or(u32::MAX)
    }

    fn count(&self, summary: &mut TickSummary) {
        summary.queued_list += u64::from(self.in_lane(Lane::List));
        summary.queued_refresh += u64::from(self.in_lane(Lane::Refresh));
    }
}

/// Hints that the lanes can still take in this tick.
struct Room {
    list: u32,
    detail: u32,
    refresh: u32,
}

impl Room {
    fn endless() -> Self {
        Self { list: u32::MAX, detail: u32::MAX, refresh: u32::MAX }
    }

    /// Takes a place in a lane; false when it is full.
    fn take(&mut self, lane: Lane) -> bool {
        let left = match lane {
            Lane::List => &mut self.list,
            Lane::Detail => &mut self.detail,
            Lane::Refresh => &mut self.refresh,
        };
        let is_free = *left > 0;
        *left = left.saturating_sub(1);
        is_free
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

fn failed(error: BrokerError) -> anyhow::Error {
    classed(error.failure())
}
