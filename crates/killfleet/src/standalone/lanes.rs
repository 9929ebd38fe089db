//! The queue of a fleet in one process: three lanes of messages in memory, each bounded.
//!
//! A lane that is full, or closed because the process stops, gives a message back to whoever offers it. A job counts as
//! running from the moment it leaves its lane until all that follows from it is done, so that "idle" means idle.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{JobMessage, Lane};
use scheduler::Room;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::alarms::Alarms;

/// Messages that may wait in each lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) list: usize,
    pub(super) detail: usize,
    pub(super) refresh: usize,
}

impl Bounds {
    /// What a lane works off within the five minutes for which the mark of a hint is believed: of a longer lane the ticks
    /// would hint the end again and again. ESI gives an address about 600 killmails in that time, a message is 50.
    pub(super) const USUAL: Self = Self { list: 1_000, detail: 100, refresh: 1_000 };

    fn of(&self, lane: Lane) -> usize {
        match lane {
            Lane::List => self.list,
            Lane::Detail => self.detail,
            Lane::Refresh => self.refresh,
        }
    }
}

#[derive(Debug)]
pub(super) struct Lanes {
    bounds: Bounds,
    state: Mutex<State>,
    /// So many permits as messages wait, for each lane.
    waiting: [Semaphore; Lane::ALL.len()],
    changed: Notify,
}

#[derive(Debug)]
struct State {
    waiting: [VecDeque<JobMessage>; Lane::ALL.len()],
    running: usize,
    is_closed: bool,
    /// Lanes that had no room for something whose row is due.
    left_behind: BTreeSet<Lane>,
    alarms: Alarms,
    next_tick: Option<Instant>,
    parked: u64,
}

/// A message that was taken out of its lane. Its job runs until this is dropped.
#[derive(Debug)]
pub(super) struct Running<'lanes> {
    pub(super) message: JobMessage,
    lanes: &'lanes Lanes,
}

/// How much is in the lanes, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct AtWork {
    pub(crate) jobs_waiting: usize,
    pub(crate) jobs_running: usize,
    /// Since the start; a handler that panicked is counted too.
    pub(crate) jobs_parked: u64,
    /// None when no tick is expected: the process stops, or one is on its way.
    pub(crate) next_tick: Option<Duration>,
    pub(crate) is_stopping: bool,
}

fn index(lane: Lane) -> usize {
    lane as usize
}

impl Lanes {
    pub(super) fn with(bounds: Bounds) -> Self {
        let state = State {
            waiting: Default::default(),
            running: 0,
            is_closed: false,
            left_behind: BTreeSet::new(),
            alarms: Alarms::none(),
            next_tick: None,
            parked: 0,
        };
        let waiting = [const { Semaphore::const_new(0) }; Lane::ALL.len()];
        Self { bounds, state: Mutex::new(state), waiting, changed: Notify::new() }
    }

    /// Puts a message into its lane, or gives it back: then the mark on its row has to be taken back.
    pub(super) fn offer(&self, message: JobMessage) -> Result<(), JobMessage> {
        let lane = message.job.lane();
        let mut state = self.state();
        if state.is_closed || state.waiting[index(lane)].len() >= self.bounds.of(lane) {
            return Err(message);
        }
        state.waiting[index(lane)].push_back(message);
        self.waiting[index(lane)].add_permits(1);
        Ok(())
    }

    /// Waits for a message. None when the lanes are closed.
    pub(super) async fn next(&self, lane: Lane) -> Option<Running<'_>> {
        self.waiting[index(lane)].acquire().await.ok()?.forget();
        let mut state = self.state();
        let message = state.waiting[index(lane)].pop_front()?;
        state.running += 1;
        Some(Running { message, lanes: self })
    }

    /// Nothing comes in or out any more. What was waiting is returned.
    pub(super) fn close(&self) -> Vec<JobMessage> {
        let mut state = self.state();
        state.is_closed = true;
        state.next_tick = None;
        self.waiting.iter().for_each(Semaphore::close);
        state.waiting.iter_mut().flat_map(std::mem::take).collect()
    }

    pub(super) fn room(&self) -> Room {
        let state = self.state();
        let left = |lane| {
            let left = self.bounds.of(lane).saturating_sub(state.waiting[index(lane)].len());
            u32::try_from(left).unwrap_or(u32::MAX)
        };
        Room { list: left(Lane::List), detail: left(Lane::Detail), refresh: left(Lane::Refresh) }
    }

    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.running == 0 && state.waiting.iter().all(VecDeque::is_empty)
    }

    /// Something due has found no room in these lanes, and waits in its row for a tick.
    pub(super) fn leave_behind(&self, lanes: impl IntoIterator<Item = Lane>) {
        self.state().left_behind.extend(lanes);
        self.changed.notify_one();
    }

    /// Some row is due again after this.
    pub(super) fn due_again_after(&self, delay: Duration) {
        self.state().alarms.set_after(delay);
        self.changed.notify_one();
    }

    pub(super) fn count_parked(&self) {
        self.state().parked += 1;
    }

    /// A tick begins: it looks at all that was left behind or is due again.
    pub(super) fn begin_tick(&self) {
        let mut state = self.state();
        state.left_behind.clear();
        state.alarms.silence();
        state.next_tick = None;
    }

    /// Whether a lane has run dry that had no room for everything.
    pub(super) fn want_more(&self) -> bool {
        let state = self.state();
        state.left_behind.iter().any(|lane| state.waiting[index(*lane)].is_empty())
    }

    /// When the next row that was put off is due.
    pub(super) fn next_alarm(&self) -> Option<Instant> {
        self.state().alarms.next()
    }

    /// For those who look on.
    pub(super) fn expect_tick(&self, at: Option<Instant>) {
        let mut state = self.state();
        state.next_tick = at.filter(|_| !state.is_closed);
    }

    /// Waits until a job has ended or one of the questions above has another answer. For one that waits.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn look(&self) -> AtWork {
        let state = self.state();
        AtWork {
            jobs_waiting: state.waiting.iter().map(VecDeque::len).sum(),
            jobs_running: state.running,
            jobs_parked: state.parked,
            next_tick: state.next_tick.map(|at| at.saturating_duration_since(Instant::now())),
            is_stopping: state.is_closed,
        }
    }

    /// Nothing that holds the lock can panic half-way.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.lanes.state().running -= 1;
        self.lanes.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::testing::{details, list, refresh};
    use super::*;

    const SMALL: Bounds = Bounds { list: 2, detail: 1, refresh: 1 };

    #[tokio::test]
    async fn each_lane_takes_what_it_has_room_for_and_gives_the_rest_back() {
        let lanes = Lanes::with(SMALL);
        assert_eq!(lanes.room(), Room { list: 2, detail: 1, refresh: 1 });
        assert!(lanes.offer(list(1)).is_ok() && lanes.offer(list(2)).is_ok());
        let third = list(3);
        assert_eq!(lanes.offer(third.clone()), Err(third));
        assert!(lanes.offer(refresh(4)).is_ok() && lanes.offer(details([5])).is_ok());
        assert_eq!(lanes.room(), Room { list: 0, detail: 0, refresh: 0 });
        let first = lanes.next(Lane::List).await.unwrap();
        assert_eq!(first.message.job, list(1).job, "those that came first go first");
        assert_eq!(lanes.room().list, 1, "a job that runs needs no place");
        let at_work = lanes.look();
        assert_eq!((at_work.jobs_waiting, at_work.jobs_running), (3, 1));
    }

    #[tokio::test]
    async fn it_is_idle_when_nothing_waits_and_nothing_runs() {
        let lanes = Lanes::with(SMALL);
        assert!(lanes.is_idle());
        lanes.offer(list(1)).unwrap();
        assert!(!lanes.is_idle());
        let running = lanes.next(Lane::List).await.unwrap();
        assert!(!lanes.is_idle());
        drop(running);
        assert!(lanes.is_idle());
        lanes.changed().await;
    }

    #[tokio::test]
    async fn closed_lanes_return_what_waited_and_take_nothing_more() {
        let lanes = Lanes::with(SMALL);
        lanes.offer(list(1)).unwrap();
        lanes.offer(details([2])).unwrap();
        let running = lanes.next(Lane::List).await.unwrap();
        lanes.offer(list(3)).unwrap();
        let waited: Vec<_> = lanes.close().into_iter().map(|message| message.job).collect();
        assert_eq!(waited, [list(3).job, details([2]).job]);
        assert!(lanes.offer(list(4)).is_err());
        assert!(lanes.next(Lane::List).await.is_none() && lanes.next(Lane::Refresh).await.is_none());
        lanes.expect_tick(Some(Instant::now()));
        assert!(!lanes.is_idle() && lanes.look().is_stopping && lanes.look().next_tick.is_none());
        drop(running);
        assert!(lanes.is_idle() && lanes.close().is_empty());
    }

    #[tokio::test]
    async fn more_is_wanted_when_a_lane_is_dry_that_left_something_behind() {
        let lanes = Lanes::with(SMALL);
        lanes.offer(list(1)).unwrap();
        assert!(!lanes.want_more());
        lanes.leave_behind([Lane::List]);
        assert!(!lanes.want_more(), "it is not dry");
        let _running = lanes.next(Lane::List).await.unwrap();
        assert!(lanes.want_more());
        lanes.begin_tick();
        assert!(!lanes.want_more(), "the tick looks at it");
    }
}
