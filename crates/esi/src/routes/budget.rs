//! What ESI says is left of a rate-limit bucket: taken from every answer, because limits change without notice.

use std::time::Duration;

use reqwest::header::HeaderMap;

use super::{DAY, HOUR, MINUTE};
use crate::http::headers::text;

/// A longer one is nonsense, and keeping it would be a standstill.
const LONGEST_WINDOW: Duration = DAY.saturating_mul(7);

/// The state of the bucket that a request was charged to, just after it. Tokens come back one window after each of
/// them was spent (a floating window); ESI sends no time of reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// `char-killmail` for lists (one bucket per character), `killmail` for bodies (one per source address).
    pub group: String,
    /// Tokens in a window.
    pub limit: u32,
    pub window: Duration,
    /// Tokens left.
    pub remaining: u32,
    /// Tokens that this request cost: 2 for 2xx, 1 for 3xx, 5 for 4xx, 0 for 429 and 5xx.
    pub used: Option<u32>,
}

impl Budget {
    /// `X-Ratelimit-Group`, `-Limit` (`30/15m`), `-Remaining`, `-Used`.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let group = group(headers)?;
        let (limit, window) = limit(text(headers, "x-ratelimit-limit")?)?;
        let remaining = number(text(headers, "x-ratelimit-remaining")?)?;
        let used = text(headers, "x-ratelimit-used").and_then(number);
        Some(Self { group, limit, window, remaining, used })
    }
}

/// The name of the bucket's group, which a 429 may have without the rest.
pub(super) fn group(headers: &HeaderMap) -> Option<String> {
    text(headers, "x-ratelimit-group").filter(|group| !group.is_empty()).map(crate::http::redact::bounded)
}

/// Below zero is overdrawn, that is, nothing left.
fn number(text: &str) -> Option<u32> {
    let number: i64 = text.parse().ok()?;
    u32::try_from(number.max(0)).ok()
}

fn limit(text: &str) -> Option<(u32, Duration)> {
    let (tokens, window) = text.split_once('/')?;
    let tokens = tokens.trim().parse().ok().filter(|&tokens| tokens > 0)?;
    let window = window.trim();
    let (count, unit) = window.split_at_checked(window.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => Duration::from_secs(1),
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    let window = unit.checked_mul(count.parse().ok().filter(|&count: &u32| count > 0)?)?;
    (window <= LONGEST_WINDOW).then_some((tokens, window))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::headers::map;

    #[test]
    fn table_of_limits() {
        let cases = [
            ("30/15m", Some((30, 900))),
            ("3600/15m", Some((3600, 900))),
            ("12000/1h", Some((12000, 3600))),
            (" 5 / 10s ", Some((5, 10))),
            ("1/2d", Some((1, 172_800))),
            ("1/7d", Some((1, 604_800))),
            ("1/8d", None),
            ("1/4294967295d", None),
            ("0/15m", None),
            ("30/0m", None),
            ("30/-1m", None),
            ("30", None),
            ("30/", None),
            ("30/m", None),
            ("30/15w", None),
            ("30/15ä", None),
            ("-1/15m", None),
            ("99999999999/15m", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(tokens, seconds)| (tokens, Duration::from_secs(seconds)));
            assert_eq!(limit(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_budget_is_told_whole_or_not_at_all() {
        let all = [
            ("x-ratelimit-group", "char-killmail"),
            ("x-ratelimit-limit", "30/15m"),
            ("x-ratelimit-remaining", "28"),
            ("x-ratelimit-used", "2"),
        ];
        let budget = Budget {
            group: "char-killmail".to_owned(),
            limit: 30,
            window: Duration::from_secs(900),
            remaining: 28,
            used: Some(2),
        };
        assert_eq!(Budget::read(&map(&all)), Some(budget.clone()));
        assert_eq!(Budget::read(&map(&all[..3])), Some(Budget { used: None, ..budget.clone() }));
        assert_eq!(Budget::read(&map(&all[..2])), None);
        assert_eq!(Budget::read(&map(&all[1..])), None);
        let overdrawn = map(&[all[0], all[1], ("x-ratelimit-remaining", "-3")]);
        assert_eq!(Budget::read(&overdrawn), Some(Budget { remaining: 0, used: None, ..budget }));
    }

    proptest! {
        #[test]
        fn a_limit_is_read_as_it_was_written(tokens in 1..u32::MAX, count in 1..1000_u32, unit in "[smhd]") {
            let seconds = match unit.as_str() { "s" => 1, "m" => 60, "h" => 3600, _ => 86_400 };
            let window = Duration::from_secs(u64::from(count) * seconds);
            let expected = (window <= LONGEST_WINDOW).then_some((tokens, window));
            prop_assert_eq!(limit(&format!("{tokens}/{count}{unit}")), expected);
        }

        #[test]
        fn whatever_else_is_said_no_budget_is_without_tokens_and_time(told in "[0-9./smhdÄ -]{0,12}", group in "[ -~]{0,300}") {
            let values = [("x-ratelimit-limit", told.as_str()), ("x-ratelimit-group", &group), ("x-ratelimit-remaining", "7")];
            let headers: HeaderMap = values
                .into_iter()
                .filter_map(|(name, value)| {
                    Some((reqwest::header::HeaderName::from_static(name), value.parse().ok()?))
                })
                .collect();
            if let Some(budget) = Budget::read(&headers) {
                prop_assert!(budget.limit > 0 && !budget.window.is_zero() && budget.group.chars().count() <= 200);
            }
        }
    }
}
