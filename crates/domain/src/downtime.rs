//! When EVE is shut every day, and nobody is to call ESI.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Timelike, Utc};
use thiserror::Error;

const DAY: TimeDelta = TimeDelta::days(1);

/// From one time of the day, which belongs to it, to another, which does not; in UTC, and across midnight if the second
/// is the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Downtime {
    begins: NaiveTime,
    ends: NaiveTime,
}

/// CCP begins at 11:00; before five minutes are over nobody has ever been let in.
pub const USUAL: &str = "11:00-11:05";

/// Why a text is no downtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("give two times of the day in UTC, such as 11:00-11:05, or off")]
pub struct DowntimeError;

impl FromStr for Downtime {
    type Err = DowntimeError;

    fn from_str(text: &str) -> Result<Self, DowntimeError> {
        let (begins, ends) = text.split_once('-').ok_or(DowntimeError)?;
        let (begins, ends) = (time_of_day(begins)?, time_of_day(ends)?);
        // Nothing or all day: nobody can know which is meant.
        if begins == ends {
            return Err(DowntimeError);
        }
        Ok(Self { begins, ends })
    }
}

/// `HH:MM`, and no other form of it.
fn time_of_day(text: &str) -> Result<NaiveTime, DowntimeError> {
    let is_written_so = text.len() == 5 && text.bytes().enumerate().all(|(at, byte)| at == 2 || byte.is_ascii_digit());
    if !is_written_so {
        return Err(DowntimeError);
    }
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| DowntimeError)
}

impl fmt::Display for Downtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{} UTC", self.begins.format("%H:%M"), self.ends.format("%H:%M"))
    }
}

impl Downtime {
    /// The end of the downtime in which `now` lies.
    #[must_use]
    pub fn end_of(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let since_midnight = |time: NaiveTime| TimeDelta::seconds(i64::from(time.num_seconds_from_midnight()));
        let midnight = now - (now.time() - NaiveTime::MIN);
        let lasts = (since_midnight(self.ends) - since_midnight(self.begins) + DAY).num_seconds() % DAY.num_seconds();
        // One that crosses midnight may have begun yesterday.
        [midnight - DAY, midnight]
            .into_iter()
            .map(|day| day + since_midnight(self.begins))
            .find(|begins| (*begins..*begins + TimeDelta::seconds(lasts)).contains(&now))
            .map(|begins| begins + TimeDelta::seconds(lasts))
    }

    /// How long after `now` it is over, if `now` lies in it.
    #[must_use]
    pub fn remaining(&self, now: DateTime<Utc>) -> Option<Duration> {
        self.end_of(now).and_then(|end| (end - now).to_std().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn table_of_downtimes() {
        let day = "2026-11-20";
        let cases = [
            ("11:00-11:05", "10:59:59.999999", None),
            ("11:00-11:05", "11:00:00", Some("2026-11-20T11:05:00Z")),
            ("11:00-11:05", "11:04:59.999999", Some("2026-11-20T11:05:00Z")),
            ("11:00-11:05", "11:05:00", None),
            ("11:00-11:05", "00:00:00", None),
            ("23:50-00:10", "23:49:59", None),
            ("23:50-00:10", "23:50:00", Some("2026-11-21T00:10:00Z")),
            ("23:50-00:10", "00:00:00", Some("2026-11-20T00:10:00Z")),
            ("23:50-00:10", "00:09:59", Some("2026-11-20T00:10:00Z")),
            ("23:50-00:10", "00:10:00", None),
            ("23:59-00:00", "23:59:30", Some("2026-11-21T00:00:00Z")),
            ("00:00-23:59", "23:59:00", None),
            ("12:00-11:59", "11:58:59", Some("2026-11-20T11:59:00Z")),
            ("12:00-11:59", "11:59:30", None),
        ];
        for (downtime, time, expected) in cases {
            let now = at(&format!("{day}T{time}Z"));
            let end = downtime.parse::<Downtime>().unwrap().end_of(now);
            assert_eq!(end, expected.map(at), "{downtime} at {time}");
        }
        let usual: Downtime = USUAL.parse().unwrap();
        assert_eq!(usual.remaining(at("2026-11-20T11:04:00Z")), Some(Duration::from_secs(60)));
        assert_eq!(usual.to_string(), "11:00-11:05 UTC");
    }

    #[test]
    fn what_is_no_downtime_is_refused() {
        let cases = [
            "",
            "off",
            "11:00",
            "11:00-",
            "-11:05",
            "11-12",
            "11:00-11:00",
            "11:00-24:00",
            "11:60-12:00",
            "1:00-2:00",
            "11:00 - 11:05",
            "11:00-11:05Z",
            "11:00:00-11:05:00",
            "+1:00-02:00",
            "11:00–11:05",
            "１1:0-11:05",
        ];
        for text in cases {
            assert_eq!(text.parse::<Downtime>(), Err(DowntimeError), "{text:?}");
        }
    }
}
