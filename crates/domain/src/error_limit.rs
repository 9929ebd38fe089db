//! The legacy error limit of ESI: a hundred errors in a minute, of all routes and all clients of an address together.
//! Whoever spends it is refused everywhere until the minute ends (ESI documentation, "Rate limiting"). So nobody waits for
//! that: the fewer errors are left, the slower the fleet calls, and the last ones are never made.

use std::time::Duration;

/// With so many left nobody is held up: a few errors are nothing.
const SLOW_BELOW: u32 = 50;
/// Of the rest every call that is under way may still take one, of this fleet or of others at its address.
const STOP_BELOW: u32 = 20;
/// Headers count in whole seconds.
const ROUNDED_OFF: Duration = Duration::from_secs(1);

/// What ESI said is left of it, just after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorLimit {
    /// Errors that may still be made before it is spent.
    pub remaining: u32,
    /// Until all of them may be made again.
    pub resets_in: Duration,
}

impl ErrorLimit {
    /// For how long nobody calls ESI; none if that is not needed. If every call were an error, those that are left above
    /// the stop would be spread evenly over the time until the reset.
    #[must_use]
    pub fn pause(self) -> Option<Duration> {
        if self.remaining >= SLOW_BELOW {
            return None;
        }
        let pause = match self.remaining.checked_sub(STOP_BELOW) {
            Some(above) => self.resets_in / (above + 1),
            None => self.resets_in + ROUNDED_OFF,
        };
        Some(pause).filter(|pause| !pause.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(remaining: u32, seconds: u64) -> ErrorLimit {
        ErrorLimit { remaining, resets_in: Duration::from_secs(seconds) }
    }

    #[test]
    fn table_of_pauses() {
        let cases = [
            (100, 60, None),
            (50, 60, None),
            (50, 0, None),
            (49, 60, Some(2_000)),
            (49, 30, Some(1_000)),
            (49, 0, None),
            (40, 42, Some(2_000)),
            (21, 42, Some(21_000)),
            (20, 42, Some(42_000)),
            (19, 42, Some(43_000)),
            (1, 1, Some(2_000)),
            (0, 60, Some(61_000)),
            (0, 0, Some(1_000)),
        ];
        for (remaining, seconds, expected) in cases {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(limit(remaining, seconds).pause(), expected, "{remaining} left for {seconds} s");
        }
    }

    /// A fleet whose every call is an error, so many of them at once: what is left at the end of ESI's minute.
    fn left_after_a_minute(at_once: u32, mut call_milliseconds: impl Iterator<Item = u64>) -> u32 {
        let minute = Duration::from_secs(60);
        let (mut elapsed, mut remaining) = (Duration::ZERO, 100);
        loop {
            elapsed += Duration::from_millis(call_milliseconds.next().unwrap_or(1_000));
            if elapsed >= minute {
                return remaining;
            }
            remaining -= at_once.min(remaining);
            // Told in whole seconds, from 1 to 60.
            let resets_in = 60 - elapsed.as_secs();
            elapsed += limit(remaining, resets_in).pause().unwrap_or_default();
        }
    }

    proptest! {
        #[test]
        fn the_last_errors_are_never_made(calls in prop::collection::vec(1_u64..3_000, 0..100), at_once in 1_u32..=16) {
            let remaining = left_after_a_minute(at_once, calls.into_iter());
            prop_assert!(remaining + at_once >= STOP_BELOW, "{remaining} left");
            prop_assert!(remaining > 0);
        }

        #[test]
        fn who_has_fewer_left_waits_no_less_and_nobody_for_more_than_the_reset(left in 0_u32..120, seconds in 0_u64..=60) {
            let pause = limit(left, seconds).pause().unwrap_or_default();
            prop_assert!(pause >= limit(left + 1, seconds).pause().unwrap_or_default());
            prop_assert!(pause <= Duration::from_secs(seconds + 1));
        }
    }
}
