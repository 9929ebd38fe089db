//! Time as HTTP headers write it.

use chrono::{DateTime, Utc};

/// `Fri, 20 Nov 2026 12:00:00 GMT` (RFC 9110, 5.6.7); fractions of a second are cut off.
#[must_use]
pub fn http_date(moment: DateTime<Utc>) -> String {
    moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_form_of_rfc_9110() {
        let moment = DateTime::from_timestamp_millis(1_795_176_000_900).unwrap();
        assert_eq!(http_date(moment), "Fri, 20 Nov 2026 12:00:00 GMT");
    }
}
