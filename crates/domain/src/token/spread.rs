//! Work that is asked for in even parts over the hour, by ticks that come when they come.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How many may be asked for now: what belongs to the time since the last were asked for, or to `longest` if that is
/// longer, and never more than `per_hour` within an hour.
pub(super) fn room(per_hour: u64, within_the_hour: u64, since_the_last: Option<Duration>, longest: Duration) -> u64 {
    // A fleet that has never done it begins as if it had five minutes ago.
    let since_the_last = since_the_last.unwrap_or(HOUR / 12).min(longest);
    let accrued = per_hour * since_the_last.as_secs() / HOUR.as_secs();
    accrued.min(per_hour.saturating_sub(within_the_hour))
}
