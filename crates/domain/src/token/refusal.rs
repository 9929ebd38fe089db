//! What an answer of the token endpoint that is not a grant means.
//!
//! EVE SSO says "this login is over", "your client is misconfigured" and "I have trouble" with the same few status
//! codes; the OAuth error code in the body tells them apart (texts seen in the field: `invalid_grant`, in one odd
//! form `invalid_grant: Token is expired or invalid.`, so codes are compared by prefix).

use std::time::Duration;

/// Whose fault a refused refresh is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalClass {
    /// This login: revoked, expired, superseded. A strike against the stream; the job is acknowledged and skipped.
    User,
    /// Our client id, secret or request: no token is touched, the whole fleet's refreshes pause.
    Configuration,
    /// The provider has trouble or wants us to wait, or it refuses this login's scopes: nothing is remembered against the
    /// user, and nobody else is concerned.
    Transient,
}

/// How long all refreshes pause after EVE SSO has refused our client for so many times in a row: a setting is mended
/// by a person, and the first refresh after that ends it.
#[must_use]
pub fn configuration_pause(refusals: u32) -> Duration {
    const FIRST_SECONDS: u64 = 30;
    const LONGEST_SECONDS: u64 = 15 * 60;
    let doublings = refusals.saturating_sub(1).min(10);
    Duration::from_secs((FIRST_SECONDS << doublings).min(LONGEST_SECONDS))
}

const USER_CODES: [&str; 2] = ["invalid_grant", "invalid_token"];
const CONFIGURATION_CODES: [&str; 4] =
    ["invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type"];
/// A refresh asks for no scope, so it speaks of those that this login was granted: EVE SSO refuses one that CCP has removed.
/// No other login need hold it, and CCP may take it back.
const SCOPE_CODE: &str = "invalid_scope";
/// Comes without a code, but speaks of our client. (`invalid_token` with "does not match the client specified" does not
/// belong here: one token of another application says nothing about the others.)
const CONFIGURATION_TEXT: &str = "is not supported";

/// `error` and `description` are the members `error` and `error_description` of the body, if it was JSON at all.
#[must_use]
pub fn classify(status: u16, error: Option<&str>, description: Option<&str>) -> RefusalClass {
    if !matches!(status, 400 | 401 | 403) {
        return RefusalClass::Transient;
    }
    let says = |text: &str| [error, description].into_iter().flatten().any(|part| part.contains(text));
    let has_code = |codes: &[&str]| error.is_some_and(|error| codes.iter().any(|code| error.starts_with(code)));
    if has_code(&[SCOPE_CODE]) {
        RefusalClass::Transient
    } else if has_code(&CONFIGURATION_CODES) || says(CONFIGURATION_TEXT) {
        RefusalClass::Configuration
    } else if has_code(&USER_CODES) {
        RefusalClass::User
    } else if error.is_some() && status != 400 {
        // 401 and 403 of a token endpoint speak of the client, not of the user (RFC 6749, 5.2).
        RefusalClass::Configuration
    } else {
        // HTML of a proxy, an empty body, a code that nobody has documented: not enough to hold against a login.
        RefusalClass::Transient
    }
}

#[cfg(test)]
mod tests {
    use super::RefusalClass::{Configuration, Transient, User};
    use super::*;

    #[test]
    fn pauses_for_our_own_fault_double_up_to_a_quarter_of_an_hour() {
        let pauses = [0, 1, 2, 3, 4, 5, 6, 7, u32::MAX].map(|refusals| configuration_pause(refusals).as_secs());
        assert_eq!(pauses, [30, 30, 60, 120, 240, 480, 900, 900, 900]);
    }

    #[test]
    fn table_of_refusals() {
        let cases: [(u16, Option<&str>, &str, RefusalClass); 22] = [
            (400, Some("invalid_grant"), "Invalid refresh token. Character grant missing/expired.", User),
            (400, Some("invalid_grant"), "Invalid refresh token. Token missing/expired.", User),
            (400, Some("invalid_grant: Token is expired or invalid."), "", User),
            (400, Some("invalid_token"), "The refresh token is expired.", User),
            (401, Some("invalid_grant"), "", User),
            (400, Some("invalid_token"), "The refresh token does not match the client specified.", User),
            (400, Some("invalid_request"), "Refresh token is missing.", Configuration),
            (401, Some("invalid_client"), "Missing or invalid client", Configuration),
            (400, Some("unauthorized_client"), "The client may not use this grant type.", Configuration),
            (401, Some("unauthorized_client"), "", Configuration),
            (400, Some("unsupported_grant_type"), "", Configuration),
            (400, None, "Grant type refresh_token is not supported.", Configuration),
            (403, Some("forbidden"), "", Configuration),
            (400, Some("invalid_scope"), "The requested scope is invalid, unknown, or malformed.", Transient),
            (400, Some("invalid_scope"), "The scope is not supported.", Transient),
            (401, Some("invalid_scope"), "", Transient),
            (400, None, "", Transient),
            (400, Some("surprise"), "", Transient),
            (401, None, "", Transient),
            (429, Some("invalid_grant"), "", Transient),
            (500, None, "An error has occurred.", Transient),
            (503, Some("invalid_client"), "", Transient),
        ];
        for (status, error, description, expected) in cases {
            assert_eq!(classify(status, error, Some(description)), expected, "{status} {error:?} {description:?}");
        }
    }
}
