//! A budget whose tokens come back one window after their own use.
//!
//! The rule (CCP's words): what was spent at 10:00 is returned around 10:15. It is no fixed window that is refilled at
//! once.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

/// One bucket.
#[derive(Debug, Clone)]
pub struct FloatingWindow {
    limit: u32,
    window: TimeDelta,
    spent: VecDeque<(DateTime<Utc>, u32)>,
    used: u32,
}

impl FloatingWindow {
    /// A full bucket of `limit` tokens.
    #[must_use]
    pub fn full(limit: u32, window_seconds: u32) -> Self {
        Self { limit, window: TimeDelta::seconds(i64::from(window_seconds)), spent: VecDeque::new(), used: 0 }
    }

    /// Takes tokens out. More than there are may be taken, because the price of a request is known only when it is
    /// answered.
    pub fn spend(&mut self, now: DateTime<Utc>, tokens: u32) {
        if tokens > 0 {
            self.spent.push_back((now, tokens));
            self.used += tokens;
        }
    }

    /// The tokens that are left.
    pub fn remaining(&mut self, now: DateTime<Utc>) -> u32 {
        while let Some((spent_at, tokens)) = self.spent.front().copied()
            && spent_at + self.window <= now
        {
            self.spent.pop_front();
            self.used -= tokens;
        }
        self.limit.saturating_sub(self.used)
    }

    /// How long until a request is accepted again, in whole seconds, at least 1; `None` when one is accepted now.
    ///
    /// One token is enough: an unchanged list costs no more, and nobody can know beforehand what it will be.
    pub fn retry_after_seconds(&mut self, now: DateTime<Utc>) -> Option<u64> {
        if self.remaining(now) > 0 {
            return None;
        }
        let mut used = self.used;
        for (spent_at, tokens) in &self.spent {
            used -= tokens;
            if used < self.limit {
                let wait_milliseconds = (*spent_at + self.window - now).num_milliseconds();
                return Some(u64::try_from(wait_milliseconds).unwrap_or(0).div_ceil(1000).max(1));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn tokens_come_back_one_window_after_their_own_use() {
        let mut bucket = FloatingWindow::full(30, 900);
        bucket.spend(at(0), 2);
        bucket.spend(at(600), 5);
        assert_eq!(bucket.remaining(at(600)), 23);
        assert_eq!(bucket.remaining(at(899)), 23);
        assert_eq!(bucket.remaining(at(900)), 25);
        assert_eq!(bucket.remaining(at(1499)), 25);
        assert_eq!(bucket.remaining(at(1500)), 30);
    }

    #[test]
    fn says_when_the_next_request_is_accepted() {
        let mut bucket = FloatingWindow::full(10, 60);
        for (second, tokens) in [(0, 3), (10, 5), (20, 5)] {
            assert_eq!(bucket.retry_after_seconds(at(second)), None);
            bucket.spend(at(second), tokens);
        }
        // 13 of 10 are used: the first three bring it to 10, only the five after them below it.
        assert_eq!(bucket.remaining(at(20)), 0);
        assert_eq!(bucket.retry_after_seconds(at(20)), Some(50));
        assert_eq!(bucket.retry_after_seconds(at(69)), Some(1));
        assert_eq!(bucket.retry_after_seconds(at(70)), None);
        assert_eq!(bucket.remaining(at(70)), 5);
    }
}
