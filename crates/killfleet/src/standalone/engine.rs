//! Everything joined: take over, tick, work, stop in two steps.

use std::sync::Arc;
use std::time::Duration;

use domain::plan::TickSummary;
use domain::{Delivered, Job, JobMessage, Lane};
use futures_util::FutureExt as _;
use scheduler::{PublishedJobs, Room, Scheduler, TickOptions, Ticked};
use service::classed;
use store::Store;
use store::due::DueFilter;
use store::take_over::TakenOver;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use worker::Worker;

use super::lanes::{AtWork, Bounds, Lanes};
use super::marks::take_back;
use super::pace::{Pace, Until};
use super::work::{Handler, TakeBack, Work};

#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineSettings {
    /// Jobs of one lane that run at the same time; at least 1.
    pub(crate) concurrency_per_lane: usize,
    /// Between two ticks that nothing else asks for.
    pub(crate) every: Duration,
    pub(crate) until: Until,
    /// For jobs in flight, and for a tick, when the engine is to stop.
    pub(crate) grace: Duration,
    /// Which characters the ticks look at.
    pub(crate) filter: DueFilter,
    /// Not only the corporations that were added.
    pub(crate) all_corporations: bool,
}

/// How an engine came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All jobs in flight were finished.
    Drained,
    /// These jobs were cut off, or a tick. The next start takes their rows over.
    GraceRanOut { jobs_left: usize },
}

/// A fleet in this process. Its database must belong to it alone, and be at this build's version.
pub(crate) struct Engine {
    worker: Arc<Worker>,
    settings: EngineSettings,
    lanes: Arc<Lanes>,
}

/// For who looks on while an engine runs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Observer(Arc<Lanes>);

impl Observer {
    pub(crate) fn look(&self) -> AtWork {
        self.0.look()
    }
}

impl Engine {
    pub(crate) fn of(worker: Arc<Worker>, settings: EngineSettings) -> Self {
        Self { worker, settings, lanes: Arc::new(Lanes::with(Bounds::USUAL)) }
    }

    pub(crate) fn observer(&self) -> Observer {
        Observer(Arc::clone(&self.lanes))
    }

    /// Runs until `stop` is cancelled, or until there is nothing left to do if that is what the settings say. Then jobs in
    /// flight are finished within the grace time, and token calls are recorded in any case. `on_tick` is told of every
    /// tick that has done something or has found nothing to do.
    ///
    /// To be awaited to its end: dropped in the middle it cuts all jobs, and says nothing to their rows.
    ///
    /// # Errors
    /// When the database cannot be taken over; and of a tick, with [`Until::LanesEmpty`].
    pub(crate) async fn run(
        self,
        on_tick: impl FnMut(&TickSummary),
        stop: &CancellationToken,
    ) -> anyhow::Result<Ended> {
        let Self { worker, settings, lanes } = self;
        let store = worker.refresher.store().clone();
        let TakenOver { lists, killmails, from_the_future } =
            store.take_over().await.map_err(|error| classed(error.failure()))?;
        if lists + killmails > 0 {
            tracing::info!(lists, killmails, "going on where another process has ended");
        }
        if from_the_future > 0 {
            tracing::warn!(
                rows = from_the_future,
                "a clock that stood in the future had put these rows off: they are due now"
            );
        }
        // A drain that is through stops the handlers in the same way, though by then none should be running.
        let stop = stop.child_token();
        let scheduler = Scheduler {
            store: store.clone(),
            token_buffer: worker.token_buffer,
            all_corporations: settings.all_corporations,
        };
        let options = TickOptions { filter: settings.filter, dry_run: false };
        let tick = async |room: Room| {
            let publish = async |jobs| publish(&lanes, jobs);
            scheduler.tick(options, room, publish, &stop).await
        };
        let (handling, stopped) = (Arc::clone(&worker), stop.clone());
        let handler: Handler = Arc::new(move |delivered: Delivered| {
            worker::handle(Arc::clone(&handling), delivered, stopped.clone()).boxed()
        });
        let take_back: TakeBack = Arc::new(move |jobs| {
            let store: Store = store.clone();
            async move { take_back(&store, jobs).await }.boxed()
        });
        let work = Work { lanes: Arc::clone(&lanes), handler, take_back, cut: CancellationToken::new() };
        let _ = stop.run_until_cancelled(worker.look_at_esi()).await;
        let ended = tokio::select! {
            ended = run(&settings, Arc::new(work), tick, on_tick, &stop) => ended,
            never = worker.watch_esi() => match never {},
        };
        worker.refresher.finish().await;
        ended
    }
}

/// Jobs for which a lane has no room are not confirmed, and the tick takes their marks back.
fn publish(lanes: &Lanes, jobs: Vec<Job>) -> PublishedJobs {
    let offer = |job| lanes.offer(JobMessage::identified(Uuid::now_v7(), Uuid::now_v7(), job)).is_ok();
    PublishedJobs { confirmed: jobs.into_iter().map(offer).collect(), failure: None }
}

/// For jobs that were cut to take their marks back.
const CUT_LIMIT: Duration = Duration::from_secs(5);

async fn run(
    settings: &EngineSettings,
    work: Arc<Work>,
    tick: impl AsyncFnMut(Room) -> Ticked,
    on_tick: impl FnMut(&TickSummary),
    stop: &CancellationToken,
) -> anyhow::Result<Ended> {
    let lanes = &work.lanes;
    let running = TaskTracker::new();
    // Whatever way this ends, no job goes on behind its back.
    let _cut_at_the_end = work.cut.clone().drop_guard();
    for lane in Lane::ALL {
        for _ in 0..settings.concurrency_per_lane {
            running.spawn(Arc::clone(&work).in_lane(lane));
        }
    }
    running.close();
    let pace = Pace { lanes, every: settings.every, until: settings.until, stop };
    let ticking = async {
        let ended = pace.tick(tick, on_tick).await;
        stop.cancel();
        ended
    };
    // At once when the stop comes, also in the middle of a tick: what it offers from then on is refused.
    let closing = async {
        stop.cancelled().await;
        let waiting = lanes.close();
        if !waiting.is_empty() {
            tracing::info!(jobs = waiting.len(), "jobs that were not begun are left to the next start");
            (work.take_back)(waiting.into_iter().map(|message| message.job).collect()).await;
        }
    };
    let finished = async {
        let (ticked, (), ()) = tokio::join!(ticking, closing, running.wait());
        ticked
    };
    let grace_is_over = async {
        stop.cancelled().await;
        sleep(settings.grace).await;
    };
    tokio::select! {
        biased;
        ticked = finished => ticked.map(|()| Ended::Drained),
        () = grace_is_over => {
            let jobs_left = lanes.look().jobs_running;
            tracing::error!(jobs_left, "jobs are cut: the next start goes on where the rows say");
            work.cut.cancel();
            // What cannot be said in time, the next start finds out by itself.
            let _ = timeout(CUT_LIMIT, running.wait()).await;
            Ok(Ended::GraceRanOut { jobs_left })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, Ordering};

    use domain::{Outcome, Verdict};
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    use super::super::work::testing::{Watched, details, list};
    use super::*;

    fn settings(until: Until) -> EngineSettings {
        let (every, grace) = (Duration::from_secs(10), Duration::from_secs(25));
        EngineSettings {
            concurrency_per_lane: 2,
            every,
            until,
            grace,
            filter: DueFilter::default(),
            all_corporations: false,
        }
    }

    fn ticked(summary: TickSummary) -> Ticked {
        Ticked { summary, left_behind: BTreeSet::new(), ended: Ok(()) }
    }

    /// The first tick finds these jobs, the others find nothing.
    async fn run_with(
        watched: &Watched,
        until: Until,
        jobs: Vec<Job>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Ended> {
        let mut jobs = Some(jobs);
        let tick = async |_room| {
            let published = publish(&watched.work.lanes, jobs.take().unwrap_or_default());
            let queued_list = published.confirmed.iter().filter(|confirmed| **confirmed).count() as u64;
            ticked(TickSummary { queued_list, ..TickSummary::default() })
        };
        run(&settings(until), Arc::clone(&watched.work), tick, |_| {}, stop).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_when_all_that_was_found_and_all_that_followed_is_done() {
        let watched = Watched::with(Bounds::USUAL, |job| async move {
            sleep(Duration::from_secs(1)).await;
            let follow_ups = if job == list(1).job { vec![details([5]).job] } else { vec![] };
            Outcome { verdict: Verdict::Done, follow_ups }
        });
        let stop = CancellationToken::new();
        let ended = run_with(&watched, Until::LanesEmpty, vec![list(1).job, list(2).job], &stop).await;
        assert_eq!(ended.unwrap(), Ended::Drained);
        assert_eq!(watched.done().len(), 3);
        assert_eq!(watched.taken_back(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_jobs_of_a_lane_run_at_a_time() {
        let watched = Watched::with(Bounds::USUAL, |_job| async {
            sleep(Duration::from_secs(1)).await;
            Verdict::Done.into()
        });
        let (start, stop) = (Instant::now(), CancellationToken::new());
        let jobs = (1..=6).map(|id| list(id).job).chain([details([1]).job]).collect();
        run_with(&watched, Until::LanesEmpty, jobs, &stop).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 3, "six by twos, and the other lane beside them");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_finishes_what_runs_and_gives_back_the_marks_of_what_waits_and_what_follows() {
        let watched = Watched::with(Bounds::USUAL, |job| async move {
            sleep(Duration::from_secs(5)).await;
            let follow_ups = if job == list(1).job { vec![details([9]).job] } else { vec![] };
            Outcome { verdict: Verdict::Done, follow_ups }
        });
        let stop = CancellationToken::new();
        let stopping = async {
            sleep(Duration::from_secs(1)).await;
            stop.cancel();
        };
        let jobs = (1..=4).map(|id| list(id).job).collect();
        let (ended, ()) = tokio::join!(run_with(&watched, Until::Stopped, jobs, &stop), stopping);
        assert_eq!(ended.unwrap(), Ended::Drained);
        assert_eq!(watched.done(), [list(1).job, list(2).job]);
        assert_eq!(watched.taken_back(), [list(3).job, list(4).job, details([9]).job]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_within_the_grace_time_is_cut_and_gives_its_mark_back() {
        let watched = Watched::with(Bounds::USUAL, |_job| std::future::pending());
        let stop = CancellationToken::new();
        let start = Instant::now();
        let stopping = async {
            sleep(Duration::from_secs(1)).await;
            stop.cancel();
        };
        let jobs = vec![list(1).job, list(2).job, details([3]).job];
        let (ended, ()) = tokio::join!(run_with(&watched, Until::Stopped, jobs, &stop), stopping);
        assert_eq!(ended.unwrap(), Ended::GraceRanOut { jobs_left: 3 });
        assert_eq!(start.elapsed().as_secs(), 26);
        assert_eq!(watched.done(), []);
        let taken_back = watched.taken_back();
        assert!([list(1), list(2), details([3])].iter().all(|message| taken_back.contains(&message.job)));
    }

    /// A tick in which the database hangs must not keep the lanes open.
    #[tokio::test(start_paused = true)]
    async fn a_stop_in_the_middle_of_a_tick_begins_nothing_more() {
        let watched = Watched::with(Bounds::USUAL, |_job| async { Verdict::Done.into() });
        let (stop, tick_goes_on) = (CancellationToken::new(), Semaphore::new(0));
        let refused = AtomicBool::new(false);
        let tick = async |_room| {
            let _goes_on = tick_goes_on.acquire().await;
            let published = publish(&watched.work.lanes, vec![list(1).job]);
            refused.store(published.confirmed == [false], Ordering::Relaxed);
            ticked(TickSummary::default())
        };
        let stopping = async {
            stop.cancel();
            sleep(Duration::from_secs(1)).await;
            tick_goes_on.add_permits(1);
        };
        let settings = settings(Until::Stopped);
        let running = run(&settings, Arc::clone(&watched.work), tick, |_| {}, &stop);
        let (ended, ()) = tokio::join!(running, stopping);
        assert_eq!(ended.unwrap(), Ended::Drained);
        assert!(refused.load(Ordering::Relaxed) && watched.done().is_empty());
    }

    /// As when another program holds the database file locked.
    #[tokio::test(start_paused = true)]
    async fn a_tick_that_hangs_holds_no_stop_up_for_longer_than_the_grace_time() {
        let watched = Watched::with(Bounds::USUAL, |_job| async { Verdict::Done.into() });
        let (start, stop) = (Instant::now(), CancellationToken::new());
        let settings = settings(Until::Stopped);
        let tick = async |_room| std::future::pending().await;
        stop.cancel();
        let ended = run(&settings, Arc::clone(&watched.work), tick, |_| {}, &stop).await;
        assert_eq!(ended.unwrap(), Ended::GraceRanOut { jobs_left: 0 });
        assert_eq!(start.elapsed(), settings.grace);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_tick_ends_a_drain_with_what_is_in_hand_finished() {
        let watched = Watched::with(Bounds::USUAL, |_job| async {
            sleep(Duration::from_secs(5)).await;
            Verdict::Done.into()
        });
        let stop = CancellationToken::new();
        let tick = async |_room| {
            publish(&watched.work.lanes, (1..=3).map(|id| list(id).job).collect());
            // The lanes begin their jobs meanwhile.
            sleep(Duration::from_secs(1)).await;
            Ticked { ended: Err(anyhow::anyhow!("the database is away")), ..ticked(TickSummary::default()) }
        };
        let settings = settings(Until::LanesEmpty);
        let ended = run(&settings, Arc::clone(&watched.work), tick, |_| {}, &stop).await;
        assert_eq!(ended.unwrap_err().to_string(), "the database is away");
        assert_eq!(watched.done(), [list(1).job, list(2).job]);
        assert_eq!(watched.taken_back(), [list(3).job]);
    }
}
