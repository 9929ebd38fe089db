//! Keeping logins alive that nobody needs just now, and probing those that were refused.
//!
//! EVE SSO forgets a refresh token that was not used for about 30 days. So every stream is refreshed before 20 days
//! have gone by, whether its character needs it or not: each at a moment of its own, spread over four days, and never
//! more at once than a small part of the fleet in an hour.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::health::{Health, StreamState};
use super::spread;
use crate::ids::TokenStreamId;

/// No stream goes unused for longer.
pub const UNUSED_MAX: TimeDelta = TimeDelta::days(20);
/// The streams are spread over so long a time before it.
const SPREAD: TimeDelta = TimeDelta::days(4);
/// From here on some streams are due.
pub const UNUSED_MIN: TimeDelta = TimeDelta::days(20 - 4);
/// A stream that a tick has asked for is not asked for again before this, whatever became of it.
pub const AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);

const HOUR: Duration = Duration::from_secs(60 * 60);
const PER_HOUR_MIN: u64 = 12;
/// All streams of a fleet could be exercised within so many hours, which is half of the time that they are spread over.
const HOURS_FOR_ALL: u64 = 48;

/// Whether a stream is to be refreshed for its own sake: it has not been for long, or it was refused and its probe is
/// due. One that was used in the future has met a wrong clock: nobody knows for how long it has not been used, so it is
/// due, and [`room`] spreads what that clock has touched.
#[must_use]
pub fn is_due(
    token_stream_id: TokenStreamId,
    health: &Health,
    unused_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    match health.state {
        StreamState::Active => {
            unused_since > now || now >= unused_since + UNUSED_MAX - before_the_last_moment(token_stream_id)
        }
        StreamState::Suspect => health.may_be_refreshed(now),
        StreamState::Dead | StreamState::Quarantined => false,
    }
}

/// Neighbouring ids, which signed in together, are far apart: the fractional part of the golden ratio's multiples.
fn before_the_last_moment(token_stream_id: TokenStreamId) -> TimeDelta {
    const GOLDEN_PART: u64 = 0x9E37_79B9_7F4A_7C15;
    let part = token_stream_id.get().unsigned_abs().wrapping_mul(GOLDEN_PART) >> 32;
    let spread_seconds = SPREAD.num_seconds().unsigned_abs();
    TimeDelta::seconds(i64::try_from((part * spread_seconds) >> 32).unwrap_or_default())
}

/// How many a tick may ask for, of a fleet with so many streams, when so many were asked for within the last hour and
/// the last of them so long ago.
#[must_use]
pub fn room(streams: u64, within_the_hour: u64, since_the_last: Option<Duration>) -> u64 {
    spread::room(PER_HOUR_MIN.max(streams.div_ceil(HOURS_FOR_ALL)), within_the_hour, since_the_last, HOUR)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::health::RefreshEnd;
    use super::*;

    fn id(id: i64) -> TokenStreamId {
        TokenStreamId::parse(id).unwrap()
    }

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    #[test]
    fn nobody_is_due_before_sixteen_days_and_everybody_after_twenty() {
        for number in 1..1_000 {
            let due = |seconds| is_due(id(number), &Health::fresh(), start(), start() + TimeDelta::seconds(seconds));
            assert!(!due(16 * 86_400 - 1) && due(20 * 86_400), "{number}");
        }
    }

    #[test]
    fn who_was_used_in_the_future_is_due() {
        let now = start();
        for ahead in [TimeDelta::seconds(1), TimeDelta::days(17), TimeDelta::days(3_650)] {
            assert!(is_due(id(1), &Health::fresh(), now + ahead, now), "{ahead}");
        }
        assert!(!is_due(id(1), &Health::fresh(), now, now));
    }

    #[test]
    fn a_thousand_that_signed_in_together_are_spread_evenly_over_the_hours() {
        let mut by_hour = [0_u32; 96];
        for number in 1..=1_000 {
            let before = before_the_last_moment(id(number)).num_hours();
            by_hour[usize::try_from(before).unwrap()] += 1;
        }
        assert!(by_hour.iter().all(|streams| (8..=13).contains(streams)), "{by_hour:?}");
    }

    #[test]
    fn a_refused_stream_is_due_with_its_probe_and_one_that_is_given_up_never() {
        let suspect = Health::fresh().after(RefreshEnd::Refused, start());
        let probe = suspect.next_probe_at.unwrap();
        assert!(
            !is_due(id(1), &suspect, start(), probe - TimeDelta::seconds(1)) && is_due(id(1), &suspect, start(), probe)
        );
        for state in [StreamState::Dead, StreamState::Quarantined] {
            let health = Health { state, ..Health::fresh() };
            assert!(!is_due(id(1), &health, start(), start() + TimeDelta::days(99)));
        }
    }

    #[test]
    fn table_of_room() {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        let cases = [
            ((3, 0, None), 1),
            ((3, 0, minutes(4)), 0),
            ((3, 1, minutes(5)), 1),
            ((3, 0, minutes(9_999)), 12),
            ((3, 12, minutes(5)), 0),
            ((10_000, 0, None), 17),
            ((10_000, 100, minutes(15)), 52),
            ((10_000, 200, minutes(15)), 9),
        ];
        for ((streams, within_the_hour, since), expected) in cases {
            assert_eq!(room(streams, within_the_hour, since), expected, "{streams} {within_the_hour} {since:?}");
        }
    }

    proptest! {
        #[test]
        fn however_ticks_come_no_hour_has_more_than_its_part(gaps in prop::collection::vec(1_u64..3_000, 1..200)) {
            let (mut now, mut asked): (u64, Vec<u64>) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                let within = asked.iter().filter(|at| **at + 3_600 > now).count() as u64;
                let since = asked.last().map(|at| Duration::from_secs(now - at));
                let room = room(2_000, within, since);
                prop_assert!(within + room <= 42);
                asked.extend((0..room).map(|_| now));
            }
        }
    }
}
