//! How a bucket of ESI's budget that the whole fleet shares is used up: evenly, and not quite to its end.
//!
//! Whoever wants to call takes turns from a schedule, on which the calls of all workers stand one behind the other at even
//! distances. After a quiet time some may follow each other at once; so that no floating window is overdrawn by that, what
//! was taken within the last window is counted as well.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Tokens of a bucket in a window (ESI: "tokens used come back one window after their own use").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub tokens: u32,
    pub window: Duration,
}

/// The bucket of killmail bodies, before an answer has said anything else (CCP's document: `killmail`, 3600/15m).
pub const BODIES: Allowance = Allowance { tokens: 3600, window: Duration::from_secs(15 * 60) };

/// What a call costs that is answered as it should be (2xx).
pub const CALL_TOKENS: u32 = 2;
/// So much of the allowance is planned for. The rest is for calls that come late, and for others at the same address.
const PLANNED_PERCENT: u32 = 96;
/// After a quiet time so much of a window's calls may follow each other at once.
const AT_ONCE_PERCENT: u32 = 20;
/// Turns are taken for so long, so that not every call asks the database; few of them are lost with a process.
const TAKEN_FOR: Duration = Duration::from_millis(250);
const TAKEN_MAX: u32 = 8;
/// More than all workers of a fleet have taken at any time, even if a window is shorter.
const TAKEN_AHEAD_MAX: Duration = Duration::from_secs(5 * 60);

/// What the schedule says of a bucket.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// When the turn after the last that was taken comes.
    pub free_at: DateTime<Utc>,
    /// Taken within the last window, and when the first of these was.
    pub spent_tokens: u32,
    pub oldest_at: Option<DateTime<Utc>>,
    pub now: DateTime<Utc>,
}

/// Turns of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// None when the bucket is used up: then somebody may ask again at `first_at`.
    pub count: u32,
    pub first_at: DateTime<Utc>,
    pub every: Duration,
    /// For whoever comes next.
    pub free_at: DateTime<Utc>,
}

impl Allowance {
    fn planned_tokens(&self) -> u64 {
        u64::from(self.tokens) * u64::from(PLANNED_PERCENT) / 100
    }

    /// Between two calls that cost so much, if all that is planned is spread over the window.
    #[must_use]
    pub fn time_for(&self, tokens: u32) -> Duration {
        let nanos = self.window.as_nanos() * u128::from(tokens) / u128::from(self.planned_tokens().max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// A turn that is later than this is let go: calls that pile up would be a burst.
    #[must_use]
    pub fn tolerance(&self) -> Duration {
        (self.window / 100).max(TAKEN_FOR)
    }

    /// The next turns.
    #[must_use]
    pub fn take(&self, schedule: &Schedule) -> Taken {
        let Schedule { free_at, spent_tokens, oldest_at, now } = *schedule;
        // A time very far ahead is of a clock that was wrong.
        let free_at = if free_at > now + span(self.window.max(TAKEN_AHEAD_MAX)) { now } else { free_at };
        let every = self.time_for(CALL_TOKENS);
        let calls_left = self.planned_tokens().saturating_sub(u64::from(spent_tokens)) / u64::from(CALL_TOKENS);
        if calls_left == 0 {
            // What was not possible meanwhile is not made up for: a burst would come back with every window.
            let first_at = oldest_at.map_or(now, |oldest_at| oldest_at + span(self.window)).max(free_at).max(now);
            return Taken { count: 0, first_at, every, free_at: first_at };
        }
        let credit = span(self.window) * i32::try_from(AT_ONCE_PERCENT).unwrap_or(0) / 100;
        let first_at = free_at.max(now - credit);
        let is_behind = first_at + span(every) * i32::try_from(TAKEN_MAX).unwrap_or(0) <= now;
        let count = if is_behind {
            TAKEN_MAX
        } else {
            u32::try_from(TAKEN_FOR.as_nanos() / every.as_nanos().max(1)).unwrap_or(TAKEN_MAX).clamp(1, TAKEN_MAX)
        };
        let count = u32::try_from(calls_left).unwrap_or(count).min(count);
        if is_behind {
            let free_at = first_at + span(every) * i32::try_from(count).unwrap_or(0);
            return Taken { count, first_at: now, every: Duration::ZERO, free_at };
        }
        // After many at once the rest is spread over the time until these come back.
        let until_more = oldest_at.map_or(TimeDelta::zero(), |oldest_at| oldest_at + span(self.window) - now);
        let until_more = until_more.to_std().unwrap_or_default().min(self.window);
        let spread = until_more / u32::try_from(calls_left).unwrap_or(u32::MAX);
        let every = every.max(spread);
        let free_at = first_at + span(every) * i32::try_from(count).unwrap_or(0);
        Taken { count, first_at: first_at.max(now), every, free_at }
    }
}

fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    const EVERY: TimeDelta = TimeDelta::nanoseconds(520_833_333);

    fn schedule(free_at: DateTime<Utc>, spent_tokens: u32) -> Schedule {
        Schedule { free_at, spent_tokens, oldest_at: Some(start() - TimeDelta::minutes(5)), now: start() }
    }

    #[test]
    fn the_real_bucket_is_about_two_bodies_a_second() {
        assert_eq!(span(BODIES.time_for(CALL_TOKENS)), EVERY);
        let taken = BODIES.take(&schedule(start(), 0));
        let expected = Taken { count: 1, first_at: start(), every: BODIES.time_for(2), free_at: start() + EVERY };
        assert_eq!(taken, expected);
        let later = BODIES.take(&schedule(start() + EVERY * 9, 0));
        assert_eq!((later.count, later.first_at), (1, start() + EVERY * 9), "even if nobody has called yet");
    }

    #[test]
    fn after_a_quiet_time_a_fifth_of_a_window_may_be_called_at_once() {
        let (mut calls, mut free_at) = (0, start() - TimeDelta::hours(1));
        loop {
            let taken = BODIES.take(&Schedule { oldest_at: None, ..schedule(free_at, 2 * calls) });
            if taken.every > Duration::ZERO {
                break;
            }
            assert_eq!(taken.first_at, start());
            (calls, free_at) = (calls + taken.count, taken.free_at);
        }
        assert!((330..=360).contains(&calls), "{calls}");
    }

    #[test]
    fn a_bucket_that_is_used_up_is_free_when_the_oldest_calls_come_back() {
        let full = BODIES.take(&schedule(start() - TimeDelta::hours(1), 3456));
        let comes_back = start() + TimeDelta::minutes(10);
        assert_eq!((full.count, full.first_at, full.free_at), (0, comes_back, comes_back));
        assert_eq!(BODIES.take(&schedule(start(), 3454)).count, 1);
        assert_eq!(BODIES.take(&schedule(start() + TimeDelta::days(3), 0)).first_at, start(), "a wrong clock");
    }

    #[test]
    fn nonsense_from_a_header_does_no_harm() {
        for tokens in [0, 1, 2, u32::MAX] {
            for window in [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(86_400)] {
                let taken = Allowance { tokens, window }.take(&schedule(start(), 0));
                assert!(taken.free_at >= start() && (taken.count > 0 || tokens < 3), "{tokens} {window:?}");
            }
        }
    }

    /// Every call, with a fleet that asks again after these times; nobody takes more before it has used what it has.
    fn calls(allowance: Allowance, waits_ms: Vec<i64>) -> Vec<DateTime<Utc>> {
        let (mut now, mut free_at) = (start(), start() - TimeDelta::hours(1));
        let (mut within, mut all) = (VecDeque::<(DateTime<Utc>, u32)>::new(), Vec::new());
        for wait_ms in waits_ms {
            now += TimeDelta::milliseconds(wait_ms);
            within.retain(|(at, _)| *at > now - span(allowance.window));
            let spent_tokens = within.iter().map(|(_, calls)| calls * CALL_TOKENS).sum();
            let oldest_at = within.front().map(|(at, _)| *at);
            let taken = allowance.take(&Schedule { free_at, spent_tokens, oldest_at, now });
            free_at = taken.free_at;
            all.extend((0..taken.count).map(|turn| taken.first_at + span(taken.every) * i32::try_from(turn).unwrap()));
            if taken.count > 0 {
                within.push_back((taken.free_at.max(now), taken.count));
            }
            now = now.max(taken.first_at);
        }
        all
    }

    fn most_in_a_window(calls: &[DateTime<Utc>], window: TimeDelta) -> usize {
        let mut oldest = 0;
        let within = calls.iter().enumerate().map(|(index, end)| {
            while calls[oldest] <= *end - window {
                oldest += 1;
            }
            index + 1 - oldest
        });
        within.max().unwrap_or_default()
    }

    const SCALED: Allowance = Allowance { tokens: 360, window: Duration::from_secs(10) };

    proptest! {
        #[test]
        fn no_window_is_overdrawn(waits_ms in prop::collection::vec(prop_oneof![9 => 0_i64..100, 1 => 0_i64..4_000], 1..600)) {
            let mut calls = calls(SCALED, waits_ms);
            calls.sort_unstable();
            let most = most_in_a_window(&calls, TimeDelta::seconds(10));
            prop_assert!(most * 2 <= 350, "{most} calls in one window");
        }
    }

    #[test]
    fn a_backlog_uses_every_window_and_only_the_first_begins_with_a_burst() {
        let calls = calls(SCALED, vec![0; 3_000]);
        let in_window = |number: i64| {
            let from = start() + TimeDelta::seconds(10 * number);
            calls.iter().filter(|at| (from..from + TimeDelta::seconds(10)).contains(*at)).count()
        };
        for number in 0..5 {
            assert!((168..=173).contains(&in_window(number)), "window {number}: {}", in_window(number));
        }
        let second = |number: i64| {
            let from = start() + TimeDelta::seconds(number);
            calls.iter().filter(|at| (from..from + TimeDelta::seconds(1)).contains(*at)).count()
        };
        assert!(second(0) > 40 && (20..50).all(|number| second(number) <= 19));
    }
}
