//! How soon a character is looked at again: the busy often, the sleeping rarely.
//!
//! The steps are those that the biggest puller of killmails uses in production (zKillboard, 2026-08).

use std::time::Duration;

use thiserror::Error;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// (the last kill is older than, look again after), in seconds, youngest first.
const OLDER: [(u64, u64); 4] = [(7 * DAY, HOUR), (30 * DAY, 4 * HOUR), (90 * DAY, 24 * HOUR), (365 * DAY, 72 * HOUR)];
const BUSY: u64 = 5 * MINUTE;

/// ESI keeps a list for five minutes; asking more often than this is a typing error.
const INTERVAL_MIN: Duration = Duration::from_secs(MINUTE);
/// Nobody is forgotten for longer.
pub const INTERVAL_MAX: Duration = Duration::from_secs(72 * HOUR);

/// Spread to either side, so that characters that were added together do not come due together for ever.
const JITTER: f64 = 1.0 / 12.0;

/// All pages are walked again after so long, however little the first one shows: what ESI has added late, or a page has
/// hidden, is found by that.
const FULL_WALK_AFTER: Duration = Duration::from_secs(30 * DAY);

/// A walk of many pages takes more than one window of the list's budget, and is torn every time: not more often than this.
const TORN_WALK_AFTER: Duration = Duration::from_secs(DAY);

/// How soon a list is looked at again, by the age of its newest killmail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers {
    busy: Duration,
    /// (older than, look again after), youngest first.
    older: Vec<(Duration, Duration)>,
}

/// Why some steps are no tiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TiersError {
    #[error("each step must be for older killmails than the one before it")]
    NotAscending,
    #[error("a list cannot be looked at more often than every minute, or more rarely than every 72 hours")]
    Interval,
}

impl Default for Tiers {
    fn default() -> Self {
        let older = OLDER.iter().map(|(age, interval)| (Duration::from_secs(*age), Duration::from_secs(*interval)));
        Self { busy: Duration::from_secs(BUSY), older: older.collect() }
    }
}

impl Tiers {
    /// `busy` is for lists with a killmail that is younger than the first step.
    ///
    /// # Errors
    /// [`TiersError`] when the steps are not in order, or an interval is out of its range.
    pub fn of(busy: Duration, older: Vec<(Duration, Duration)>) -> Result<Self, TiersError> {
        let ages: Vec<Duration> = older.iter().map(|(age, _)| *age).collect();
        if !ages.is_sorted_by(|age, next| age < next) {
            return Err(TiersError::NotAscending);
        }
        let mut intervals = older.iter().map(|(_, interval)| *interval).chain([busy]);
        if !intervals.all(|interval| (INTERVAL_MIN..=INTERVAL_MAX).contains(&interval)) {
            return Err(TiersError::Interval);
        }
        Ok(Self { busy, older })
    }

    /// `since_last_kill` is the age of the newest known killmail; none when there is none yet, which counts as sleeping
    /// a little (an hour): the first full walk has just shown that there is nothing. `random` is from 0 up to 1.
    #[must_use]
    pub fn poll_interval(&self, since_last_kill: Option<Duration>, random: f64) -> Duration {
        let interval = match since_last_kill {
            None => Duration::from_secs(HOUR),
            Some(age) => self.older.iter().rfind(|(older, _)| age > *older).map_or(self.busy, |tier| tier.1),
        };
        interval.mul_f64(spread(random))
    }
}

/// When all pages are to be walked again; sooner after a walk whose pages may not fit together.
#[must_use]
pub fn full_walk_interval(is_torn: bool, random: f64) -> Duration {
    let interval = if is_torn { TORN_WALK_AFTER } else { FULL_WALK_AFTER };
    interval.mul_f64(spread(random))
}

fn spread(random: f64) -> f64 {
    1.0 + JITTER * (2.0 * random.clamp(0.0, 1.0) - 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table_of_tiers() {
        let days = |days: u64| Some(Duration::from_secs(days * DAY));
        let cases = [
            (Some(Duration::ZERO), 5 * MINUTE),
            (days(7), 5 * MINUTE),
            (days(8), HOUR),
            (days(31), 4 * HOUR),
            (days(91), 24 * HOUR),
            (days(366), 72 * HOUR),
            (None, HOUR),
        ];
        for (age, seconds) in cases {
            assert_eq!(Tiers::default().poll_interval(age, 0.5), Duration::from_secs(seconds), "{age:?}");
        }
    }

    #[test]
    fn steps_must_be_in_order_and_within_reason() {
        let (minute, hour, day) = (Duration::from_secs(60), Duration::from_secs(HOUR), Duration::from_secs(DAY));
        let own = Tiers::of(minute, vec![(hour, 2 * hour), (2 * day, 3 * day)]).unwrap();
        let after = |age| own.poll_interval(Some(age), 0.5);
        assert_eq!((after(hour), after(hour + minute), after(9 * day)), (minute, 2 * hour, 3 * day));
        assert_eq!(Tiers::of(hour, vec![]).unwrap().poll_interval(Some(day), 0.5), hour);
        for older in [vec![(day, hour), (hour, hour)], vec![(day, hour), (day, hour)]] {
            assert_eq!(Tiers::of(minute, older), Err(TiersError::NotAscending));
        }
        for (busy, interval) in [(minute / 2, hour), (minute, minute / 2), (minute, 4 * day), (4 * day, hour)] {
            assert_eq!(Tiers::of(busy, vec![(day, interval)]), Err(TiersError::Interval));
        }
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_twelfth(days in 0_u64..1000, random in 0.0..1.0_f64) {
            let age = Some(Duration::from_secs(days * DAY));
            let tiers = Tiers::default();
            let ratio = tiers.poll_interval(age, random).as_secs_f64() / tiers.poll_interval(age, 0.5).as_secs_f64();
            prop_assert!((11.0 / 12.0 - 1e-9..=13.0 / 12.0 + 1e-9).contains(&ratio));
        }
    }
}
