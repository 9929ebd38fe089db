//! When ticks come: regularly, and sooner when a retry is due or when lanes have run dry that could not take everything.

use std::time::Duration;

use domain::plan::TickSummary;
use scheduler::{Room, Ticked, spread};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::lanes::Lanes;

/// Until when to tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The process is told to stop.
    Stopped,
    /// The lanes are empty, and the tick before has left nothing behind for want of room.
    LanesEmpty,
}

/// Whatever asks for a tick: between the beginnings of two there is at least this.
const TICKS_APART: Duration = Duration::from_secs(1);

pub(super) struct Pace<'engine> {
    pub(super) lanes: &'engine Lanes,
    pub(super) every: Duration,
    pub(super) until: Until,
    pub(super) stop: &'engine CancellationToken,
}

impl Pace<'_> {
    /// A tick that fails is logged and tried again at the next turn: nothing that was due is lost by it. But who waits
    /// for the end of the work is told at once that it was not all found.
    ///
    /// # Errors
    /// Of a tick, with [`Until::LanesEmpty`].
    pub(super) async fn tick(
        &self,
        mut tick: impl AsyncFnMut(Room) -> Ticked,
        mut on_tick: impl FnMut(&TickSummary),
    ) -> anyhow::Result<()> {
        loop {
            let began = Instant::now();
            self.lanes.begin_tick();
            let Ticked { summary, left_behind, ended } = tick(self.lanes.room()).await;
            self.lanes.leave_behind(left_behind);
            if ended.is_ok() || summary != TickSummary::default() {
                on_tick(&summary);
            }
            match (ended, self.until) {
                (Ok(()), _) => {}
                (Err(error), Until::LanesEmpty) => return Err(error),
                (Err(error), Until::Stopped) => {
                    tracing::error!(reason = format!("{error:#}"), "the tick failed");
                }
            }
            if !self.another_is_due(began).await {
                return Ok(());
            }
        }
    }

    /// Waits for the next tick's time. False when there is none to come.
    async fn another_is_due(&self, began: Instant) -> bool {
        let regular = match self.until {
            Until::Stopped => Some(began + spread(self.every)),
            Until::LanesEmpty => None,
        };
        loop {
            let at = if self.lanes.want_more() {
                Some(began)
            } else if self.until == Until::LanesEmpty && self.lanes.is_idle() {
                return false;
            } else {
                regular.map(|regular| self.lanes.next_alarm().map_or(regular, |alarm| alarm.min(regular)))
            };
            let at = at.map(|at| at.max(began + TICKS_APART));
            self.lanes.expect_tick(at);
            let time_comes = async {
                match at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return false,
                () = time_comes => return true,
                () = self.lanes.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use domain::Lane;
    use tokio::time::sleep;

    use super::super::lanes::Bounds;
    use super::super::work::testing::list;
    use super::*;

    /// A tick that finds nothing.
    fn nothing() -> Ticked {
        Ticked { summary: TickSummary::default(), left_behind: BTreeSet::new(), ended: Ok(()) }
    }

    fn pace<'test>(lanes: &'test Lanes, until: Until, stop: &'test CancellationToken) -> Pace<'test> {
        Pace { lanes, every: Duration::from_secs(600), until, stop }
    }

    /// The seconds at which ticks come while `meanwhile` happens.
    async fn ticks_while(lanes: &Lanes, first: Ticked, meanwhile: impl Future<Output = ()>) -> Vec<u64> {
        let (stop, start, seconds) = (CancellationToken::new(), Instant::now(), RefCell::new(Vec::new()));
        let mut first = Some(first);
        let tick = async |_room| {
            seconds.borrow_mut().push(start.elapsed().as_secs());
            first.take().unwrap_or_else(nothing)
        };
        let meanwhile = async {
            meanwhile.await;
            stop.cancel();
        };
        let pace = pace(lanes, Until::Stopped, &stop);
        let (ended, ()) = tokio::join!(pace.tick(tick, |_| {}), meanwhile);
        ended.unwrap();
        seconds.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_comes_at_once_and_the_others_at_about_their_interval() {
        let lanes = Lanes::with(Bounds::USUAL);
        let ticks = ticks_while(&lanes, nothing(), sleep(Duration::from_secs(1_300))).await;
        assert_eq!(ticks.len(), 3, "{ticks:?}");
        assert_eq!(ticks[0], 0);
        assert!((570..=630).contains(&ticks[1]) && (570..=630).contains(&(ticks[2] - ticks[1])), "{ticks:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_brings_the_next_forward_to_when_it_is_due() {
        let lanes = Lanes::with(Bounds::USUAL);
        let retries = async {
            sleep(Duration::from_secs(10)).await;
            lanes.due_again_after(Duration::from_secs(90));
            lanes.due_again_after(Duration::from_secs(30));
            lanes.due_again_after(Duration::from_millis(30_500));
            sleep(Duration::from_secs(300)).await;
        };
        assert_eq!(ticks_while(&lanes, nothing(), retries).await, [0, 41, 101]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_that_runs_dry_asks_for_what_was_left_behind_and_only_then() {
        let lanes = Lanes::with(Bounds::USUAL);
        lanes.offer(list(1)).unwrap();
        let left_behind = Ticked { left_behind: [Lane::List].into(), ..nothing() };
        let work = async {
            sleep(Duration::from_secs(100)).await;
            drop(lanes.next(Lane::List).await);
            sleep(Duration::from_secs(100)).await;
        };
        assert_eq!(ticks_while(&lanes, left_behind, work).await, [0, 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_keep_their_distance_whoever_asks_for_them() {
        let lanes = Lanes::with(Bounds::USUAL);
        let asking = async {
            for _ in 0..45 {
                lanes.leave_behind([Lane::Detail]);
                sleep(Duration::from_millis(100)).await;
            }
        };
        let ticks = ticks_while(&lanes, nothing(), asking).await;
        assert_eq!(ticks, [0, 1, 2, 3, 4], "and not one for each that asks");
    }

    #[tokio::test(start_paused = true)]
    async fn a_tick_that_fails_does_not_end_it() {
        let lanes = Lanes::with(Bounds::USUAL);
        let failed = Ticked { ended: Err(anyhow::anyhow!("the database is away")), ..nothing() };
        assert_eq!(ticks_while(&lanes, failed, sleep(Duration::from_secs(700))).await.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ticks_until_nothing_is_left_behind_and_everything_is_done() {
        let (lanes, stop) = (Lanes::with(Bounds::USUAL), CancellationToken::new());
        let mut ticks = 0;
        let tick = async |_room| {
            ticks += 1;
            if ticks < 3 {
                lanes.offer(list(ticks)).unwrap();
                Ticked { left_behind: [Lane::List].into(), ..nothing() }
            } else {
                nothing()
            }
        };
        let work = async {
            for _ in 0..2 {
                let running = lanes.next(Lane::List).await.unwrap();
                sleep(Duration::from_secs(100)).await;
                // Neither a retry nor the interval makes a drain wait.
                lanes.due_again_after(Duration::from_secs(1_000));
                drop(running);
            }
        };
        let start = Instant::now();
        let pace = pace(&lanes, Until::LanesEmpty, &stop);
        let (ended, ()) = tokio::join!(pace.tick(tick, |_| {}), work);
        ended.unwrap();
        assert_eq!((ticks, start.elapsed().as_secs()), (3, 200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_whose_tick_fails_says_so_at_once() {
        let (lanes, stop) = (Lanes::with(Bounds::USUAL), CancellationToken::new());
        lanes.offer(list(1)).unwrap();
        let tick = async |_room| Ticked { ended: Err(anyhow::anyhow!("the database is away")), ..nothing() };
        let told = RefCell::new(0);
        let ended = pace(&lanes, Until::LanesEmpty, &stop).tick(tick, |_| *told.borrow_mut() += 1).await;
        assert_eq!(ended.unwrap_err().to_string(), "the database is away");
        assert_eq!(told.into_inner(), 0, "there is nothing to sum up");
    }
}
