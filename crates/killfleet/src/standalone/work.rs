//! The life of one job: run its handler, send on what follows, do what its verdict asks for.
//!
//! The row says what became of it, so most verdicts need nothing. A worker's handler finishes its row also when it panics;
//! should that panic too, the job is counted as parked, and its row keeps its mark: it is hinted again when that is stale.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use domain::{Delivered, Job, JobMessage, Lane, Outcome, Verdict};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lanes::{Lanes, Running};

pub(super) type Handler = Arc<dyn Fn(Delivered) -> BoxFuture<'static, Outcome> + Send + Sync>;
/// Takes back the marks on the rows of these jobs.
pub(super) type TakeBack = Arc<dyn Fn(Vec<Job>) -> BoxFuture<'static, ()> + Send + Sync>;

/// All that is needed to get a message done.
pub(super) struct Work {
    pub(super) lanes: Arc<Lanes>,
    pub(super) handler: Handler,
    pub(super) take_back: TakeBack,
    /// Cancelled when the grace time of a stop is over.
    pub(super) cut: CancellationToken,
}

impl Work {
    /// One job of this lane after the other, until the lanes are closed.
    pub(super) async fn in_lane(self: Arc<Self>, lane: Lane) {
        while let Some(running) = self.lanes.next(lane).await {
            self.run(&running).await;
        }
    }

    async fn run(&self, running: &Running<'_>) {
        let message = &running.message;
        let delivered = Delivered { message: message.clone(), redelivered: false };
        // The call itself stands inside: a handler can panic before it returns its future.
        let handled = AssertUnwindSafe(async { (self.handler)(delivered).await }).catch_unwind();
        match self.cut.run_until_cancelled(handled).await {
            Some(Ok(outcome)) => self.perform(message, outcome).await,
            Some(Err(_panic)) => {
                tracing::error!(job.id = %message.job_id, job.kind = message.job.kind(), "the handler panicked");
                self.lanes.count_parked();
            }
            None => (self.take_back)(vec![message.job.clone()]).await,
        }
    }

    async fn perform(&self, message: &JobMessage, Outcome { verdict, follow_ups }: Outcome) {
        let mut no_room = Vec::new();
        for job in follow_ups {
            let follow_up = JobMessage::identified(Uuid::now_v7(), message.trace_id, job);
            no_room.extend(self.lanes.offer(follow_up).err().map(|refused| refused.job));
        }
        if !no_room.is_empty() {
            let lanes: Vec<Lane> = no_room.iter().map(Job::lane).collect();
            tracing::debug!(job.id = %message.job_id, follow_ups = no_room.len(), "no room: a later tick finds their rows");
            (self.take_back)(no_room).await;
            // Only now: a tick that came before would not have found them.
            self.lanes.leave_behind(lanes);
        }
        match verdict {
            Verdict::Done | Verdict::Skipped { .. } => {}
            Verdict::RetryAfter { delay, .. } => self.lanes.due_again_after(delay),
            Verdict::Parked { .. } => self.lanes.count_parked(),
            Verdict::HandBack { .. } => (self.take_back)(vec![message.job.clone()]).await,
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use std::sync::Mutex;

    use domain::{CharacterId, KillmailId, SyncList, SyncMode, TokenStreamId};

    use super::super::lanes::Bounds;
    use super::*;

    fn sync(character: i64) -> SyncList {
        SyncList { character_id: CharacterId::parse(character).unwrap(), mode: SyncMode::New }
    }

    fn message(job: Job) -> JobMessage {
        JobMessage::identified(Uuid::from_u128(1), Uuid::from_u128(2), job)
    }

    pub(in super::super) fn list(character: i64) -> JobMessage {
        message(Job::SyncList(sync(character)))
    }

    pub(in super::super) fn refresh(character: i64) -> JobMessage {
        let token_stream_id = TokenStreamId::parse(character).unwrap();
        message(Job::RefreshToken { token_stream_id, then: sync(character) })
    }

    pub(in super::super) fn details(killmails: impl IntoIterator<Item = i64>) -> JobMessage {
        let killmail_ids = killmails.into_iter().map(|id| KillmailId::parse(id).unwrap()).collect();
        message(Job::FetchDetails { killmail_ids })
    }

    /// Work without a database: what was done and what was taken back is written down.
    pub(in super::super) struct Watched {
        pub(in super::super) work: Arc<Work>,
        pub(in super::super) done: Arc<Mutex<Vec<Job>>>,
        pub(in super::super) taken_back: Arc<Mutex<Vec<Job>>>,
    }

    impl Watched {
        pub(in super::super) fn with<F>(bounds: Bounds, handler: impl Fn(Job) -> F + Send + Sync + 'static) -> Self
        where
            F: Future<Output = Outcome> + Send + 'static,
        {
            let (done, taken_back) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
            let (doing, taking_back) = (done.clone(), taken_back.clone());
            let handler: Handler = Arc::new(move |delivered: Delivered| {
                let doing = doing.clone();
                let handled = handler(delivered.message.job.clone());
                async move {
                    let outcome = handled.await;
                    doing.lock().unwrap().push(delivered.message.job);
                    outcome
                }
                .boxed()
            });
            let take_back: TakeBack = Arc::new(move |jobs| {
                taking_back.lock().unwrap().extend(jobs);
                async {}.boxed()
            });
            let lanes = Arc::new(Lanes::with(bounds));
            let work = Arc::new(Work { lanes, handler, take_back, cut: CancellationToken::new() });
            Self { work, done, taken_back }
        }

        pub(in super::super) fn done(&self) -> Vec<Job> {
            self.done.lock().unwrap().clone()
        }

        pub(in super::super) fn taken_back(&self) -> Vec<Job> {
            self.taken_back.lock().unwrap().clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::Counted;
    use tokio::time::Instant;

    use super::super::lanes::Bounds;
    use super::testing::{Watched, details, list, refresh};
    use super::*;

    /// Offers these messages and works until nothing is left.
    async fn work_off(watched: &Watched, messages: impl IntoIterator<Item = JobMessage>) {
        let lanes = &watched.work.lanes;
        messages.into_iter().for_each(|message| lanes.offer(message).unwrap());
        let idle = async {
            while !lanes.is_idle() {
                lanes.changed().await;
            }
            assert_eq!(lanes.close(), []);
        };
        let work = |lane| watched.work.clone().in_lane(lane);
        tokio::join!(idle, work(Lane::List), work(Lane::Detail), work(Lane::Refresh));
    }

    #[tokio::test]
    async fn what_follows_is_worked_on_too() {
        let watched = Watched::with(Bounds::USUAL, |job| async move {
            let follow_ups = match job {
                Job::RefreshToken { then, .. } => vec![Job::SyncList(then)],
                Job::SyncList(_) => vec![details([1]).job, details([2]).job],
                _ => vec![],
            };
            Outcome { verdict: Verdict::Done, follow_ups }
        });
        work_off(&watched, [refresh(7)]).await;
        assert_eq!(watched.done(), [refresh(7).job, list(7).job, details([1]).job, details([2]).job]);
        assert_eq!(watched.taken_back(), []);
    }

    #[tokio::test]
    async fn what_finds_no_room_gets_its_mark_taken_back_and_is_left_to_a_tick() {
        let bounds = Bounds { detail: 2, ..Bounds::USUAL };
        let watched = Watched::with(bounds, |job| async move {
            let follow_ups = match job {
                Job::SyncList(_) => (1..=4).map(|id| details([id]).job).collect(),
                _ => vec![],
            };
            Outcome { verdict: Verdict::Done, follow_ups }
        });
        work_off(&watched, [list(7)]).await;
        assert_eq!(watched.done(), [list(7).job, details([1]).job, details([2]).job]);
        assert_eq!(watched.taken_back(), [details([3]).job, details([4]).job]);
        assert!(watched.work.lanes.want_more());
    }

    #[tokio::test(start_paused = true)]
    async fn each_verdict_is_performed() {
        let reason = || "why".to_owned();
        let watched = Watched::with(Bounds::USUAL, move |job| async move {
            match job {
                Job::SyncList(sync) if sync.character_id.get() == 1 => Verdict::skipped("why"),
                Job::SyncList(sync) if sync.character_id.get() == 2 => {
                    let delay = Duration::from_secs(60);
                    Verdict::RetryAfter { delay, reason: reason(), counted: Counted::Attempt }
                }
                Job::RefreshToken { .. } => Verdict::HandBack { reason: reason() },
                _ => Verdict::Parked { reason: reason() },
            }
            .into()
        });
        work_off(&watched, [list(1), list(2), refresh(3), list(4)]).await;
        assert_eq!(watched.done().len(), 4);
        assert_eq!(watched.taken_back(), [refresh(3).job]);
        let lanes = &watched.work.lanes;
        assert_eq!(lanes.look().jobs_parked, 1);
        assert!(!lanes.want_more());
        let rings_in = lanes.next_alarm().unwrap() - Instant::now();
        assert!((60..62).contains(&rings_in.as_secs()), "{rings_in:?}");
    }

    #[tokio::test]
    async fn a_panic_parks_its_own_job_and_the_lane_goes_on() {
        let watched = Watched::with(Bounds::USUAL, |job| {
            assert_ne!(job, list(1).job, "before there is a future");
            async move {
                assert_ne!(job, list(2).job, "within it");
                Verdict::Done.into()
            }
        });
        work_off(&watched, [list(1), list(2), list(3)]).await;
        assert_eq!(watched.done(), [list(3).job]);
        assert_eq!(watched.taken_back(), [], "it is not hinted again at once");
        assert_eq!(watched.work.lanes.look().jobs_parked, 2);
    }
}
