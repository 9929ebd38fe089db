//! The rate-limit buckets of ESI.
//!
//! The rule: a bucket belongs to a group of routes and to a user. With a token the user is application and character,
//! without one it is the caller's address.

use std::collections::HashMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::answer::Answer;
use super::floating_window::FloatingWindow;
use super::ids::CharacterId;

/// A group of routes that share their budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// Lists of characters: 30 tokens a window.
    CharacterKillmails,
    /// Lists of corporations: 30 tokens a window.
    CorporationKillmails,
    /// Details: 3600 tokens a window.
    Killmail,
    /// `/status`: 600 tokens a window.
    Status,
}

/// Whose budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum User {
    /// A route with a token.
    Character {
        /// The application of the token.
        client_id: String,
        /// The character of the token.
        character_id: CharacterId,
    },
    /// A route without one.
    Address(IpAddr),
}

/// One bucket's name.
pub type BucketKey = (Group, User);

/// All of them.
#[derive(Debug)]
pub struct Buckets {
    window_seconds: u32,
    windows: HashMap<BucketKey, FloatingWindow>,
}

impl Group {
    /// Its name in `X-Ratelimit-Group`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CharacterKillmails => "char-killmail",
            Self::CorporationKillmails => "corp-killmail",
            Self::Killmail => "killmail",
            Self::Status => "status",
        }
    }

    fn limit(self) -> u32 {
        match self {
            Self::CharacterKillmails | Self::CorporationKillmails => 30,
            Self::Killmail => 3600,
            Self::Status => 600,
        }
    }
}

impl Buckets {
    /// Full buckets with this window.
    #[must_use]
    pub fn full(window_seconds: u32) -> Self {
        Self { window_seconds, windows: HashMap::new() }
    }

    /// How long a user of this bucket must wait, when it is spent.
    pub fn retry_after_seconds(&mut self, now: DateTime<Utc>, key: &BucketKey) -> Option<u64> {
        self.window(key).retry_after_seconds(now)
    }

    /// Charges an answer and writes the bucket's headers on it. Says what it cost.
    pub fn charge(&mut self, now: DateTime<Utc>, key: &BucketKey, answer: &mut Answer) -> u32 {
        let cost = cost(answer.status);
        let limit = format!("{}/{}", key.0.limit(), window_text(self.window_seconds));
        let window = self.window(key);
        window.spend(now, cost);
        let remaining = window.remaining(now);
        answer.set_if_absent("X-Ratelimit-Group", key.0.name());
        answer.set_if_absent("X-Ratelimit-Limit", limit);
        answer.set_if_absent("X-Ratelimit-Remaining", remaining.to_string());
        answer.set_if_absent("X-Ratelimit-Used", cost.to_string());
        cost
    }

    fn window(&mut self, key: &BucketKey) -> &mut FloatingWindow {
        let window_seconds = self.window_seconds;
        self.windows.entry(key.clone()).or_insert_with(|| FloatingWindow::full(key.0.limit(), window_seconds))
    }
}

/// What an answer costs: 2xx 2, 3xx 1, 4xx 5, 429 and 5xx nothing.
fn cost(status: u16) -> u32 {
    match status {
        200..=299 => 2,
        300..=399 => 1,
        429 => 0,
        400..=499 => 5,
        _ => 0,
    }
}

/// `15m`, `1h`, or `10s` for a window that a test made shorter.
fn window_text(seconds: u32) -> String {
    match seconds {
        seconds if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_and_windows_are_those_of_the_documentation() {
        let prices = [(200, 2), (304, 1), (400, 5), (404, 5), (422, 5), (429, 0), (500, 0), (503, 0)];
        for (status, expected) in prices {
            assert_eq!(cost(status), expected, "{status}");
        }
        for (seconds, expected) in [(900, "15m"), (3600, "1h"), (10, "10s"), (90, "90s")] {
            assert_eq!(window_text(seconds), expected);
        }
    }
}
