//! Headers that tell how long to wait. Only differences between the other side's own times are used, so our clock
//! may be wrong without harm.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ErrorLimit;
use reqwest::header::HeaderMap;

/// Where we are told to wait, but not how long.
pub(crate) const DEFAULT_WAIT: Duration = Duration::from_secs(60);
/// A rate window has 15 minutes. Whatever is said, somebody looks again after an hour.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// The header as text, trimmed; none if it is missing or not plain text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// `Retry-After` in either form (RFC 9110, 10.2.3), from a second to an hour.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let told = text(headers, "retry-after")?;
    let wait = match told.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (date(told)? - date(text(headers, "date")?)?).to_std().unwrap_or_default(),
    };
    Some(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT))
}

/// How long the legacy error limit holds: until `X-ESI-Error-Limit-Reset`, and a second more to be sure.
pub(crate) fn error_limit_wait(headers: &HeaderMap) -> Duration {
    error_limit_reset(headers).map_or(DEFAULT_WAIT, |reset| reset.saturating_add(SHORTEST_WAIT)).min(LONGEST_WAIT)
}

/// `X-ESI-Error-Limit-Remain` and `-Reset`: routes without a bucket have them. What is left counts even if it is not
/// told until when.
pub(crate) fn error_limit(headers: &HeaderMap) -> Option<ErrorLimit> {
    let remaining: i64 = text(headers, "x-esi-error-limit-remain")?.parse().ok()?;
    // Below zero is overdrawn, that is, nothing left.
    let remaining = u32::try_from(remaining.max(0)).ok()?;
    let resets_in = error_limit_reset(headers).unwrap_or(DEFAULT_WAIT).min(LONGEST_WAIT);
    Some(ErrorLimit { remaining, resets_in })
}

fn error_limit_reset(headers: &HeaderMap) -> Option<Duration> {
    text(headers, "x-esi-error-limit-reset")?.parse().ok().map(Duration::from_secs)
}

/// `Expires − Date`; nothing if it is past.
pub(crate) fn expires_in(headers: &HeaderMap) -> Option<Duration> {
    let left = date(text(headers, "expires")?)? - date(text(headers, "date")?)?;
    Some(left.to_std().unwrap_or_default())
}

/// `Last-Modified`, and how long before `Date` that was.
pub(crate) fn last_modified(headers: &HeaderMap) -> Option<(DateTime<Utc>, Duration)> {
    let last_modified = date(text(headers, "last-modified")?)?;
    let age = date(text(headers, "date")?)? - last_modified;
    Some((last_modified, age.to_std().unwrap_or_default()))
}

/// A date of HTTP: `Fri, 20 Nov 2026 12:00:00 GMT`.
fn date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

#[cfg(test)]
pub(crate) fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: (&str, &str) = ("date", "Fri, 20 Nov 2026 12:00:00 GMT");

    type Pairs = &'static [(&'static str, &'static str)];

    #[test]
    fn table_of_retry_after() {
        let cases: [(Pairs, Option<u64>); 12] = [
            (&[], None),
            (&[("retry-after", "412")], Some(412)),
            (&[("retry-after", " 7 ")], Some(7)),
            (&[("retry-after", "0")], Some(1)),
            (&[("retry-after", "99999999")], Some(3600)),
            (&[("retry-after", "-5")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "99999999999999999999999")], None),
            (&[NOW, ("retry-after", "Fri, 20 Nov 2026 12:01:30 GMT")], Some(90)),
            (&[NOW, ("retry-after", "Fri, 20 Nov 2026 11:00:00 GMT")], Some(1)),
            (&[NOW, ("retry-after", "Sat, 20 Nov 2027 12:00:00 GMT")], Some(3600)),
            // Without the other side's own time a date says nothing.
            (&[("retry-after", "Fri, 20 Nov 2026 12:01:30 GMT")], None),
        ];
        for (pairs, seconds) in cases {
            assert_eq!(retry_after(&map(pairs)), seconds.map(Duration::from_secs), "{pairs:?}");
        }
    }

    #[test]
    fn table_of_the_error_limit() {
        for (value, seconds) in [("42", 43), ("0", 1), ("x", 60), ("-1", 60), ("18446744073709551615", 3600)] {
            let headers = map(&[("x-esi-error-limit-reset", value)]);
            assert_eq!(error_limit_wait(&headers), Duration::from_secs(seconds), "{value}");
        }
        assert_eq!(error_limit_wait(&HeaderMap::new()), DEFAULT_WAIT);
    }

    #[test]
    fn table_of_what_is_left_of_the_error_limit() {
        let cases = [
            (None, None, None),
            (Some("97"), Some("42"), Some((97, 42))),
            (Some("0"), Some("0"), Some((0, 0))),
            (Some("-3"), Some("7"), Some((0, 7))),
            (Some("17"), None, Some((17, 60))),
            (Some("17"), Some("soon"), Some((17, 60))),
            (Some("17"), Some("99999999"), Some((17, 3600))),
            (Some("many"), Some("42"), None),
            (None, Some("42"), None),
        ];
        for (remain, reset, expected) in cases {
            let remain = remain.map(|value| ("x-esi-error-limit-remain", value));
            let reset = reset.map(|value| ("x-esi-error-limit-reset", value));
            let pairs: Vec<_> = remain.into_iter().chain(reset).collect();
            let told = error_limit(&map(&pairs)).map(|limit| (limit.remaining, limit.resets_in.as_secs()));
            assert_eq!(told, expected, "{pairs:?}");
        }
    }

    proptest! {
        #[test]
        fn nobody_waits_longer_than_an_hour_whatever_is_said(value in "[ -~]{0,40}", other in "[ -~]{0,40}") {
            let names = ["retry-after", "date", "x-esi-error-limit-reset", "x-esi-error-limit-remain", "expires"];
            for name in names {
                let headers = map(&[(name, &value), ("last-modified", &other)]);
                if let Some(wait) = retry_after(&headers) {
                    prop_assert!((SHORTEST_WAIT..=LONGEST_WAIT).contains(&wait), "{:?}", wait);
                }
                prop_assert!((SHORTEST_WAIT..=LONGEST_WAIT).contains(&error_limit_wait(&headers)));
                prop_assert!(error_limit(&headers).is_none_or(|limit| limit.resets_in <= LONGEST_WAIT));
                prop_assert_eq!((expires_in(&headers), last_modified(&headers)), (None, None), "nothing without two dates");
            }
        }

        #[test]
        fn a_number_of_seconds_is_taken_as_it_stands(seconds in any::<u64>()) {
            let headers = map(&[("retry-after", &seconds.to_string())]);
            prop_assert_eq!(retry_after(&headers), Some(Duration::from_secs(seconds.clamp(1, 3600))));
        }

        #[test]
        fn of_two_dates_the_difference_counts(at in 0..4_000_000_000_i64, later in -10_000..10_000_i64) {
            let date = |seconds| DateTime::from_timestamp(seconds, 0).unwrap().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
            let headers = map(&[("date", &date(at)), ("expires", &date(at + later)), ("retry-after", &date(at + later))]);
            let (left, wait) = (later.max(0).unsigned_abs(), later.clamp(1, 3600).unsigned_abs());
            prop_assert_eq!(expires_in(&headers), Some(Duration::from_secs(left)));
            prop_assert_eq!(retry_after(&headers), Some(Duration::from_secs(wait)));
        }
    }
}
