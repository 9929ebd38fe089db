//! How long an answer stays what it is. Asking again sooner is what CCP bans for.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;

use super::DAY;
use crate::http::headers::{expires_in, last_modified, text};

/// Counted from the moment at which the answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    pub lives_for: Duration,
    /// When ESI made this copy; pages of one list that were made at different times may not fit together.
    pub last_modified: Option<DateTime<Utc>>,
    /// How old it was when it came.
    age: Option<Duration>,
}

/// A copy that ends within so short a time is another one before the next page is asked for (CCP: "if page 1 is within a
/// few seconds of expiry, wait for the refresh, then fetch all pages").
const SOON: Duration = Duration::from_secs(6);
/// One that never lives for longer than this is not about to end: it is short-lived.
const SHORT_LIFE: Duration = Duration::from_secs(30);

/// What holds for a route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// The specification's time (`x-client-cache-ttl`), for answers that tell none.
    default: Duration,
    /// More is not believed: a slip at the other side shall not end the polling of a character.
    longest: Duration,
}

pub(super) const LIST: Rule = Rule { default: Duration::from_secs(300), longest: DAY };
pub(super) const BODY: Rule =
    Rule { default: Duration::from_secs(2_592_000), longest: Duration::from_secs(366 * 24 * 60 * 60) };
pub(super) const AFFILIATIONS: Rule = Rule { default: Duration::from_secs(3600), longest: DAY };

/// Nothing waits for long for news of an outage.
pub(super) const STATUS: Rule = Rule { default: Duration::from_secs(30), longest: Duration::from_secs(120) };

/// Headers count in whole seconds: what ends in 299.9 s is told as 299, and asking then would be too soon.
const ROUNDED_OFF: Duration = Duration::from_secs(1);

impl Freshness {
    /// In order of trust: `Cache-Control: max-age`, `Expires` minus `Date`, the specification. `no-cache` and `Age`
    /// are not looked at: both could only make us ask sooner, and asking later is never wrong.
    pub(super) fn read(headers: &HeaderMap, rule: Rule) -> Self {
        let told = text(headers, "cache-control").and_then(max_age).or_else(|| expires_in(headers));
        let told = told.map(|told| told.saturating_add(ROUNDED_OFF));
        let (last_modified, age) = last_modified(headers).unzip();
        Self { lives_for: told.unwrap_or(rule.default).min(rule.longest), last_modified, age }
    }

    /// Whether other pages are better asked for when ESI has made the next copy.
    #[must_use]
    pub fn is_about_to_end(&self) -> bool {
        self.lives_for <= SOON && self.age.is_some_and(|age| age + self.lives_for > SHORT_LIFE)
    }
}

fn max_age(cache_control: &str) -> Option<Duration> {
    cache_control.split(',').find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("max-age") {
            return None;
        }
        seconds.trim().trim_matches('"').parse().ok().map(Duration::from_secs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::headers::map;

    const NOW: (&str, &str) = ("date", "Fri, 20 Nov 2026 12:00:00 GMT");
    const LATER: (&str, &str) = ("expires", "Fri, 20 Nov 2026 12:02:00 GMT");

    #[test]
    fn table_of_freshness() {
        let cases: [(&[(&'static str, &str)], u64); 13] = [
            (&[], 300),
            (&[("cache-control", "private, max-age=280")], 281),
            (&[("cache-control", "Max-Age=\"7\"")], 8),
            (&[("cache-control", "max-age=280"), NOW, LATER], 281),
            (&[("cache-control", "max-age=0"), NOW, LATER], 1),
            (&[("cache-control", "s-maxage=3"), NOW, LATER], 121),
            (&[("cache-control", "max-age=-3"), NOW, LATER], 121),
            (&[("cache-control", "no-cache")], 300),
            (&[NOW, LATER], 121),
            (&[NOW, ("expires", "Fri, 20 Nov 2026 11:00:00 GMT")], 1),
            (&[NOW, ("expires", "0")], 300),
            (&[LATER], 300),
            (&[("cache-control", "max-age=999999999")], 86_400),
        ];
        for (pairs, seconds) in cases {
            let read = Freshness::read(&map(pairs), LIST);
            assert_eq!(read.lives_for, Duration::from_secs(seconds), "{pairs:?}");
        }
    }

    #[test]
    fn only_a_copy_that_was_made_long_ago_is_about_to_end() {
        let made = |at: &'static str, max_age: &'static str| {
            Freshness::read(&map(&[NOW, ("last-modified", at), ("cache-control", max_age)]), LIST)
        };
        assert!(made("Fri, 20 Nov 2026 11:55:04 GMT", "max-age=4").is_about_to_end());
        assert!(!made("Fri, 20 Nov 2026 11:55:10 GMT", "max-age=10").is_about_to_end());
        assert!(!made("Fri, 20 Nov 2026 11:59:59 GMT", "max-age=1").is_about_to_end(), "it never lives long");
        assert!(!Freshness::read(&map(&[NOW, ("cache-control", "max-age=1")]), LIST).is_about_to_end());
        let made = made("Fri, 20 Nov 2026 11:55:04 GMT", "max-age=4").last_modified.unwrap();
        assert_eq!(made.to_rfc3339(), "2026-11-20T11:55:04+00:00");
    }
}
