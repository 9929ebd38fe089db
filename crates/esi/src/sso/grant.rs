//! What a successful refresh brings.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::http::answer::RawAnswer;

/// EVE SSO says 20 minutes. A nonsensical `expires_in` must not make a token look good for years.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Some servers write it in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The new refresh token stands by itself: it has to be saved even if the rest of the reply is of no use, because the
/// old one may be worthless by now. Tokens print as `[REDACTED]`.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Replaces the one that was sent; none means that the old one stays.
    pub refresh_token: Option<SecretString>,
    /// Or why there is none: an incomplete reply is not a dead token.
    pub access: Result<AccessGrant, GrantError>,
}

/// What is wrong with a reply that says 200. Never quotes it: it is made of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GrantError {
    /// It did not arrive whole.
    #[error("{0}")]
    NotWhole(String),
    #[error("the grant is not a JSON object")]
    NotJson,
    #[error("the grant has no access token")]
    NoAccessToken,
    #[error("the grant's access token cannot stand in a header")]
    UnusableAccessToken,
    /// RFC 6749, 5.1: a number of seconds. Without one nobody knows how long the token may be used.
    #[error("the grant does not say when it ends: its expires_in {0}")]
    NoLife(&'static str),
}

#[derive(Debug, Clone)]
pub struct AccessGrant {
    pub access_token: SecretString,
    /// Counted from the moment at which the request was sent.
    pub expires_in: Duration,
}

pub(super) fn read(raw: &RawAnswer) -> Result<Grant, GrantError> {
    parse(raw.whole_body().map_err(GrantError::NotWhole)?)
}

/// Unread: a member that we could not represent must not cost us the refresh token beside it.
type Members<'a> = HashMap<String, &'a RawValue>;

fn parse(body: &[u8]) -> Result<Grant, GrantError> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let Ok(members) = serde_json::from_slice::<Members<'_>>(body) else {
        return Err(GrantError::NotJson);
    };
    let refresh_token = token(&members, "refresh_token").map(SecretString::from);
    match access(&members) {
        Err(why) if refresh_token.is_none() => Err(why),
        access => Ok(Grant { refresh_token, access }),
    }
}

fn token(members: &Members<'_>, name: &str) -> Option<String> {
    let token: String = serde_json::from_str(members.get(name)?.get()).ok()?;
    (!token.is_empty()).then_some(token)
}

fn access(members: &Members<'_>) -> Result<AccessGrant, GrantError> {
    let access_token = token(members, "access_token").ok_or(GrantError::NoAccessToken)?;
    if !access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(GrantError::UnusableAccessToken);
    }
    let expires_in = members.get("expires_in").ok_or(GrantError::NoLife("is missing"))?;
    let expires_in = life(expires_in.get()).map_err(GrantError::NoLife)?;
    Ok(AccessGrant { access_token: SecretString::from(access_token), expires_in })
}

/// A number in quotes is not taken for one either: whoever sends it means something that we do not know.
fn life(json: &str) -> Result<Duration, &'static str> {
    let seconds = match serde_json::from_str(json) {
        Ok(Value::Number(number)) => number.as_f64().unwrap_or_default(),
        Ok(Value::String(_)) => return Err("is a text"),
        Ok(_) | Err(_) => return Err("is not a number"),
    };
    // A part of a second is no life for a token. More than a day is cut, so the conversion cannot fail.
    if seconds < 1.0 {
        return Err("is not positive");
    }
    Ok(Duration::from_secs_f64(seconds.floor().min(LONGEST_LIFE.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_grant_is_read() {
        let grant = parse(br#"{"access_token":"a.b.c","expires_in":1199,"refresh_token":"r+/=","x":1}"#).unwrap();
        let access = grant.access.as_ref().unwrap();
        assert_eq!(access.access_token.expose_secret(), "a.b.c");
        assert_eq!(grant.refresh_token.as_ref().unwrap().expose_secret(), "r+/=");
        assert_eq!(access.expires_in, Duration::from_secs(1199));
        let shown = format!("{grant:?}");
        assert!(!shown.contains("a.b.c") && !shown.contains("r+/="), "{shown}");
    }

    #[test]
    fn no_new_refresh_token_means_that_the_old_one_stays() {
        for rest in ["", r#","refresh_token":null"#, r#","refresh_token":"""#, r#","refresh_token":7"#] {
            let json = format!(r#"{{"access_token":"a","expires_in":1200{rest}}}"#);
            assert!(parse(json.as_bytes()).unwrap().refresh_token.is_none(), "{json}");
        }
    }

    #[test]
    fn incomplete_replies_are_named_without_being_quoted() {
        let cases = [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("<html>", "not a JSON object"),
            (r#"{"access_token":"secret","expires_in":11"#, "not a JSON object"),
            (r#"{"expires_in":1199}"#, "no access token"),
            (r#"{"access_token":"","expires_in":1199}"#, "no access token"),
            (r#"{"access_token":7,"expires_in":1199}"#, "no access token"),
            (r#"{"access_token":"sec\nret","expires_in":1199}"#, "cannot stand in a header"),
            (r#"{"access_token":"secret"}"#, "when it ends: its expires_in is missing"),
            (r#"{"access_token":"secret","expires_in":null}"#, "when it ends: its expires_in is not a number"),
        ];
        for (body, expected) in cases {
            let why = parse(body.as_bytes()).unwrap_err().to_string();
            assert!(why.contains(expected), "{why:?} for {body}");
        }
    }

    #[test]
    fn a_new_refresh_token_survives_an_incomplete_reply() {
        for rest in
            ["", r#","access_token":"a""#, r#","expires_in":1199"#, r#","access_token":"a","expires_in":"soon""#]
        {
            let grant = parse(format!(r#"{{"refresh_token":"next"{rest}}}"#).as_bytes()).unwrap();
            assert_eq!(grant.refresh_token.unwrap().expose_secret(), "next", "{rest}");
            assert!(grant.access.is_err(), "{rest}");
        }
    }

    #[test]
    fn a_new_refresh_token_survives_members_that_cannot_be_represented() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for value in ["1e999", r#""\ud800""#, deep.as_str()] {
            for member in ["x", "access_token", "expires_in"] {
                let body = format!("\u{feff}{{\"{member}\":{value},\"refresh_token\":\"next\"}}");
                let grant = parse(body.as_bytes()).unwrap();
                assert_eq!(grant.refresh_token.unwrap().expose_secret(), "next", "{member}");
                assert!(grant.access.is_err());
            }
        }
    }

    #[test]
    fn table_of_lives() {
        let cases = [
            ("1199", Ok(1199)),
            ("1199.9", Ok(1199)),
            ("1e300", Ok(86_400)),
            ("0", Err("is not positive")),
            ("0.5", Err("is not positive")),
            ("-1", Err("is not positive")),
            ("-1e300", Err("is not positive")),
            ("\"1200\"", Err("is a text")),
            ("\"soon\"", Err("is a text")),
            ("true", Err("is not a number")),
            ("1e999", Err("is not a number")),
        ];
        for (json, expected) in cases {
            assert_eq!(life(json), expected.map(Duration::from_secs), "{json}");
        }
    }
}
