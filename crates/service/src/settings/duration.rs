//! Lengths of time as people write them.

use std::time::Duration;

use thiserror::Error;

/// Largest first: a length names each unit at most once, and in this order.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is no length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("give whole numbers with a unit, such as 90s, 5m, 1h30m or 500ms")]
pub struct DurationError;

/// Reads `90s`, `5m`, `1h30m`, `500ms`, `7d`. A bare number is refused, for nobody can know its unit.
///
/// # Errors
/// [`DurationError`] for anything else, and for a length that does not fit.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut milliseconds = 0_u64;
    loop {
        let digits_end = rest.find(|character: char| !character.is_ascii_digit()).ok_or(DurationError)?;
        let (number, after_number) = rest.split_at(digits_end);
        let number: u64 = number.parse().map_err(|_| DurationError)?;
        let unit_end = after_number.find(|character: char| character.is_ascii_digit()).unwrap_or(after_number.len());
        let (unit, after_unit) = after_number.split_at(unit_end);
        // `find` goes on behind the unit of the round before, so a repeated or a larger unit is not found.
        let (_, factor) = units.find(|(name, _)| *name == unit).ok_or(DurationError)?;
        milliseconds =
            number.checked_mul(*factor).and_then(|part| milliseconds.checked_add(part)).ok_or(DurationError)?;
        if after_unit.is_empty() {
            return Ok(Duration::from_millis(milliseconds));
        }
        rest = after_unit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_durations() {
        let cases = [
            ("0s", 0),
            ("500ms", 500),
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("1h0m5s250ms", 3_605_250),
            ("24h", 86_400_000),
            ("1d12h", 129_600_000),
            ("007s", 7_000),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let cases = [
            "",
            "5",
            "m",
            "5 m",
            " 5m",
            "5m ",
            "-5m",
            "+5m",
            "1.5h",
            "5M",
            "5min",
            "5w",
            "1h1d",
            "30m1h",
            "1m1m",
            "5m5",
            "ms",
            "5µs",
            "٥m",
            "99999999999999999999s",
            "18446744073709551615h",
            "18446744073709551615ms1ms",
        ];
        for text in cases {
            assert_eq!(parse_duration(text), Err(DurationError), "{text:?}");
        }
    }
}
