//! How long to wait before the next try: quickly at first, then slower, never all workers at the same moment.
//!
//! The only file that names the crate `backoff`: the crate is unmaintained, and replacing it is a change of this file.
//! For waits inside a process only; a job that has to wait is a row with a due time.

use std::time::Duration;

use backoff::backoff::Backoff as _;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
const JITTER: f64 = 0.5;

/// Delays of 0.1 s doubling to 5 s, each up to a half shorter or longer. They never end.
pub(crate) struct Delays(ExponentialBackoff);

impl Delays {
    pub(crate) fn from_the_start() -> Self {
        Self(
            ExponentialBackoffBuilder::new()
                .with_initial_interval(FIRST)
                .with_multiplier(2.0)
                .with_randomization_factor(JITTER)
                .with_max_interval(LONGEST)
                .with_max_elapsed_time(None)
                .build(),
        )
    }

    pub(crate) fn next_delay(&mut self) -> Duration {
        // `None` means that a total time is used up, and there is none.
        self.0.next_backoff().unwrap_or(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_limit_and_go_on() {
        let mut delays = Delays::from_the_start();
        let mut middle = FIRST.as_secs_f64();
        for _ in 0..1000 {
            let delay = delays.next_delay().as_secs_f64();
            let allowed = middle * (1.0 - JITTER) - 0.001..=middle * (1.0 + JITTER) + 0.001;
            assert!(allowed.contains(&delay), "{delay} is not near {middle}");
            middle = (middle * 2.0).min(LONGEST.as_secs_f64());
        }
    }
}
