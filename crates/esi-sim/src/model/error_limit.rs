//! The legacy error limit: 100 errors a minute from one address.
//!
//! The rule: a fixed window; once the errors are spent every route of ESI answers 420 until the window ends, routes
//! with a bucket included.

use std::collections::HashMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::answer::Answer;

/// Errors that are allowed in one window.
const LIMIT: u32 = 100;

const TEXT: &str = "This software has exceeded the error limit for ESI. If you are a user, please contact the maintainer \
    of this software. If you are a developer/maintainer, please make a greater effort in the future to receive valid \
    responses. For tips on how, come have a chat with us in ##3rd-party-dev-and-esi on the EVE Online Discord. \
    https://www.eveonline.com/discord";

/// The errors of all callers.
#[derive(Debug)]
pub struct ErrorLimit {
    window_seconds: i64,
    errors: HashMap<IpAddr, (i64, u32)>,
}

impl ErrorLimit {
    /// Nobody has made an error yet.
    #[must_use]
    pub fn untouched(window_seconds: u32) -> Self {
        Self { window_seconds: i64::from(window_seconds), errors: HashMap::new() }
    }

    /// Whether this caller has spent its errors.
    #[must_use]
    pub fn is_spent(&self, now: DateTime<Utc>, source: IpAddr) -> bool {
        self.remaining(now, source) == 0
    }

    /// Counts an answer if it is an error.
    pub fn count(&mut self, now: DateTime<Utc>, source: IpAddr, status: u16) {
        if status < 400 {
            return;
        }
        let window = self.window(now);
        let entry = self.errors.entry(source).or_insert((window, 0));
        if entry.0 != window {
            *entry = (window, 0);
        }
        entry.1 += 1;
    }

    /// Writes the headers of the error limit on an answer.
    pub fn describe(&self, now: DateTime<Utc>, source: IpAddr, answer: &mut Answer) {
        answer.set_if_absent("X-ESI-Error-Limit-Remain", self.remaining(now, source).to_string());
        answer.set_if_absent("X-ESI-Error-Limit-Reset", self.reset_seconds(now).to_string());
    }

    /// The answer to everything once the errors are spent.
    #[must_use]
    pub fn refusal(&self, now: DateTime<Utc>, source: IpAddr) -> Answer {
        let mut answer = Answer::error(420, TEXT);
        self.describe(now, source, &mut answer);
        answer
    }

    fn remaining(&self, now: DateTime<Utc>, source: IpAddr) -> u32 {
        match self.errors.get(&source) {
            Some((window, errors)) if *window == self.window(now) => LIMIT.saturating_sub(*errors),
            _ => LIMIT,
        }
    }

    fn window(&self, now: DateTime<Utc>) -> i64 {
        now.timestamp().div_euclid(self.window_seconds)
    }

    fn reset_seconds(&self, now: DateTime<Utc>) -> i64 {
        self.window_seconds - now.timestamp().rem_euclid(self.window_seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_794_999_960 + seconds, 0).unwrap()
    }

    #[test]
    fn a_hundred_errors_close_the_door_until_the_window_ends() {
        let mut limit = ErrorLimit::untouched(60);
        for _ in 0..99 {
            limit.count(at(10), HERE, 404);
        }
        limit.count(at(10), HERE, 200);
        limit.count(at(10), HERE, 304);
        assert!(!limit.is_spent(at(10), HERE));
        limit.count(at(18), HERE, 504);
        assert!(limit.is_spent(at(18), HERE));
        assert!(!limit.is_spent(at(18), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))));
        let refusal = limit.refusal(at(18), HERE);
        assert_eq!(refusal.status, 420);
        assert_eq!(refusal.header("x-esi-error-limit-remain"), Some("0"));
        assert_eq!(refusal.header("x-esi-error-limit-reset"), Some("42"));
        assert!(limit.is_spent(at(59), HERE));
        assert!(!limit.is_spent(at(60), HERE));
    }
}
