//! What SSO says when it refuses.

use crate::model::Answer;

/// A user's revocation, a changed password, another owner.
pub(in crate::model) const GRANT_MISSING: &str = "Invalid refresh token. Character grant missing/expired.";
/// A token that is unknown, over or was replaced.
pub(super) const TOKEN_MISSING: &str = "Invalid refresh token. Token missing/expired.";
/// A token that has not the form of one.
pub(super) const MALFORMED: &str = "Invalid refresh token.";
/// A code that is unknown, over or was used. The real words are not on record.
pub(super) const CODE_MISSING: &str = "Authorization code not found or expired.";
/// The real words are not on record.
pub(super) const WRONG_VERIFIER: &str = "The code verifier does not match the code challenge.";

/// 500, when too many token calls are in flight.
#[must_use]
pub(in crate::model) fn overloaded() -> Answer {
    Answer::json(500, r#"{"Message":"An error has occurred."}"#)
}

/// 400 with one of the descriptions above.
#[must_use]
pub(in crate::model) fn invalid_grant(description: &str) -> Answer {
    Answer::sso_error(400, "invalid_grant", description)
}

/// 401: client id or secret are wrong. The end of the description is not on record; clients go by `error`.
#[must_use]
pub(in crate::model) fn invalid_client() -> Answer {
    let mut answer = Answer::sso_error(401, "invalid_client", "Missing or invalid client credentials.");
    answer.set("WWW-Authenticate", r#"Basic realm="login.eveonline.com""#);
    answer
}

/// 400, also for a body that is no form.
pub(super) fn unsupported_grant(grant_type: &str) -> Answer {
    Answer::sso_error(400, "unsupported_grant_type", &format!("Grant type {grant_type} is not supported."))
}
