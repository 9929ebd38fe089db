//! The hourly look at logins that nobody uses just now, so that one that was revoked is noticed before it is needed.
//!
//! Some providers ask for it (Twitch: "validate the OAuth token when it starts and on an hourly basis thereafter"). It
//! is for access tokens that live on without being used: one that has ended says nothing, and one that ESI or the
//! provider has taken within the hour needs no look. With EVE SSO, whose access tokens live for 20 minutes, no stream
//! ever comes here.

use std::time::Duration;

use super::spread;

/// A stream that nobody has heard of for so long is looked at: with ticks every five minutes, within the hour.
pub const LOOK_AFTER: Duration = Duration::from_secs(55 * 60);
/// A look that a tick has asked for is not asked for again before this, whatever became of it.
pub const AGAIN_AFTER: Duration = Duration::from_secs(15 * 60);

const QUARTER_OF_AN_HOUR: Duration = Duration::from_secs(15 * 60);
const PER_HOUR_MIN: u64 = 12;

/// How many a tick may ask for, of a fleet with so many streams, when so many were asked for within the last hour and
/// the last of them so long ago: all streams in an hour and a tenth more to catch up, but never more at once than belong
/// into a quarter of an hour.
#[must_use]
pub fn room(streams: u64, within_the_hour: u64, since_the_last: Option<Duration>) -> u64 {
    let per_hour = PER_HOUR_MIN.max(streams + streams.div_ceil(10));
    spread::room(per_hour, within_the_hour, since_the_last, QUARTER_OF_AN_HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_every_five_minutes_look_at_all_within_the_hour_in_even_parts() {
        let (mut looked_at, mut ticks): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        for minute in (0..60).step_by(5) {
            let since = looked_at.last().map(|last| Duration::from_secs(60 * (minute - last)));
            let room = room(1_000, looked_at.len() as u64, since);
            looked_at.extend((0..room).map(|_| minute));
            ticks.push(room);
        }
        assert!(looked_at.len() >= 1_000, "{ticks:?}");
        assert!(ticks.iter().all(|room| (91..=92).contains(room)), "{ticks:?}");
    }

    #[test]
    fn table_of_room() {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        let cases = [
            ((3, 0, None), 1),
            ((3, 0, minutes(4)), 0),
            // However long nothing was due: no wave.
            ((1_000, 0, minutes(9_999)), 275),
            ((1_000, 1_000, minutes(15)), 100),
            ((1_000, 1_100, minutes(15)), 0),
        ];
        for ((streams, within_the_hour, since), expected) in cases {
            assert_eq!(room(streams, within_the_hour, since), expected, "{streams} {within_the_hour} {since:?}");
        }
    }
}
