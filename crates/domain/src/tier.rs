//! How soon a character is looked at again: the busy often, the sleeping rarely.
//!
//! The steps are those that the biggest puller of killmails uses in production (zKillboard, 2026-08).

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// (the last kill is older than, look again after), in seconds, oldest first.
const TIERS: [(u64, u64); 4] = [(365 * DAY, 72 * HOUR), (90 * DAY, 24 * HOUR), (30 * DAY, 4 * HOUR), (7 * DAY, HOUR)];
const BUSY: u64 = 5 * MINUTE;

/// Spread to either side, so that characters that were added together do not come due together for ever.
const JITTER: f64 = 1.0 / 12.0;

/// `since_last_kill` is the age of the newest known killmail; none when there is none yet, which counts as sleeping
/// a little (an hour): the first full walk has just shown that there is nothing. `random` is from 0 up to 1.
#[must_use]
pub fn poll_interval(since_last_kill: Option<Duration>, random: f64) -> Duration {
    let seconds = match since_last_kill {
        None => HOUR,
        Some(age) => TIERS.iter().find(|(older_than, _)| age.as_secs() > *older_than).map_or(BUSY, |tier| tier.1),
    };
    let spread = 1.0 + JITTER * (2.0 * random.clamp(0.0, 1.0) - 1.0);
    #[expect(clippy::cast_precision_loss, reason = "seconds up to 72 hours are exact in 64 bits of floating point")]
    Duration::from_secs_f64(seconds as f64 * spread)
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
            assert_eq!(poll_interval(age, 0.5), Duration::from_secs(seconds), "{age:?}");
        }
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_twelfth(days in 0_u64..1000, random in 0.0..1.0_f64) {
            let age = Some(Duration::from_secs(days * DAY));
            let ratio = poll_interval(age, random).as_secs_f64() / poll_interval(age, 0.5).as_secs_f64();
            prop_assert!((11.0 / 12.0 - 1e-9..=13.0 / 12.0 + 1e-9).contains(&ratio));
        }
    }
}
