//! Moments at which rows are due again: a tick that comes then finds them.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

/// More moments than this are left to the regular ticks.
const ALARMS_MAX: usize = 1_000;

/// Kept by the second, so that many retries are few ticks.
#[derive(Debug)]
pub(super) struct Alarms {
    origin: Instant,
    seconds: BTreeSet<u64>,
}

impl Alarms {
    pub(super) fn none() -> Self {
        Self { origin: Instant::now(), seconds: BTreeSet::new() }
    }

    /// Never before `delay` is over, and less than two seconds later.
    pub(super) fn set_after(&mut self, delay: Duration) {
        let second = self.origin.elapsed().saturating_add(delay).as_secs().saturating_add(1);
        if self.seconds.len() < ALARMS_MAX {
            self.seconds.insert(second);
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.seconds.first().and_then(|second| self.origin.checked_add(Duration::from_secs(*second)))
    }

    /// A tick begins: it serves all that have rung by now.
    pub(super) fn silence(&mut self) {
        self.seconds = self.seconds.split_off(&(self.origin.elapsed().as_secs() + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_when_the_delay_is_over_and_once_for_all_of_a_second() {
        let mut alarms = Alarms::none();
        assert_eq!(alarms.next(), None);
        for milliseconds in [90_000, 2_100, 2_900] {
            alarms.set_after(Duration::from_millis(milliseconds));
        }
        let rings_in = |alarms: &Alarms| alarms.next().unwrap() - Instant::now();
        assert_eq!(rings_in(&alarms), Duration::from_secs(3));
        alarms.silence();
        assert_eq!(rings_in(&alarms), Duration::from_secs(3), "it has not rung yet");
        tokio::time::advance(Duration::from_secs(3)).await;
        alarms.silence();
        assert_eq!(rings_in(&alarms), Duration::from_secs(88));
        tokio::time::advance(Duration::from_secs(1000)).await;
        alarms.silence();
        assert_eq!(alarms.next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn its_memory_is_bounded() {
        let mut alarms = Alarms::none();
        (0..10_000).for_each(|second| alarms.set_after(Duration::from_secs(second)));
        assert_eq!(alarms.seconds.len(), ALARMS_MAX);
        alarms.set_after(Duration::MAX / 2);
    }
}
