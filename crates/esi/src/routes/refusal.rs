//! What ESI means by an error status. It says quite different things with one status, and the same thing with
//! several, so the words of the body count too (texts seen in the field: `Token is not valid for any required scope`,
//! `token expiry is too far in the future`, and EVE SSO's troubles dressed as 403 with `sso_status`).

use super::budget;
use super::error::{Call, EsiErrorKind};
use crate::http::answer::RawAnswer;
use crate::http::error_body::ErrorBody;
use crate::http::headers::{DEFAULT_WAIT, error_limit_wait, retry_after};
use crate::http::redact::Redactor;

pub(super) fn kind(call: Call, raw: &RawAnswer, body: &ErrorBody, redactor: &Redactor<'_>) -> EsiErrorKind {
    if raw.status == 420 || body.says("exceeded the error limit for ESI") {
        return EsiErrorKind::ErrorLimited { retry_after: error_limit_wait(&raw.headers) };
    }
    if raw.status == 429 {
        let retry_after = retry_after(&raw.headers).unwrap_or(DEFAULT_WAIT);
        return EsiErrorKind::BudgetSpent { group: budget::group(&raw.headers), retry_after };
    }
    if raw.status == 304 {
        return EsiErrorKind::Unreadable("304 without having been asked for changes".to_owned());
    }
    if raw.is_redirect() {
        return EsiErrorKind::Redirected { status: raw.status, target: raw.redirect_target(redactor) };
    }
    by_words(call, raw.status, body)
}

fn by_words(call: Call, status: u16, body: &ErrorBody) -> EsiErrorKind {
    // A page for people comes from something in front of ESI: a 404 of such a page is not an empty list.
    if body.is_html {
        return EsiErrorKind::Unavailable { status };
    }
    // Older ESI wrapped the missing page into a 500.
    let page_missing = body.says("Requested page does not exist");
    match (status, call) {
        (401, _) => EsiErrorKind::Unauthorized,
        (403, _) => forbidden(body),
        // On the first page it means an empty list. Further on only ESI's own words end a walk: a stray 404 that was
        // taken for the end would hide what lies behind it for good.
        (404, Call::List { page: 1, .. }) => EsiErrorKind::PageDoesNotExist,
        (404 | 500, Call::List { page, .. }) if page > 1 && page_missing => EsiErrorKind::PageDoesNotExist,
        (404, Call::List { .. }) => EsiErrorKind::Unavailable { status },
        (422, Call::Body { .. }) => EsiErrorKind::InvalidReference,
        (400..=499, _) if status != 408 => EsiErrorKind::Refused { status },
        _ => EsiErrorKind::Unavailable { status },
    }
}

fn forbidden(body: &ErrorBody) -> EsiErrorKind {
    let says_any = |texts: &[&str]| texts.iter().any(|text| body.says(text));
    if body.says("Token is not valid for any required scope") {
        return EsiErrorKind::ScopeMissing;
    }
    if body.says("does not have required role") {
        return EsiErrorKind::RoleMissing;
    }
    if body.says("is not in the corporation") {
        return EsiErrorKind::NotInCorporation;
    }
    // The second is trouble between the clocks of SSO and ESI; a new token is the remedy for all of them.
    let token_is_old = body.error.as_deref() == Some("expired")
        || says_any(&["token expiry is too far in the future", "Invalid token", "token is expired"]);
    if token_is_old {
        return EsiErrorKind::Unauthorized;
    }
    // ESI tells `sso_status` when it asked SSO; the texts are those of a JSON reader that was given HTML or nothing.
    if body.sso_status.is_some() || says_any(&["unexpected end of JSON input", "looking for beginning of value"]) {
        return EsiErrorKind::SsoTrouble;
    }
    EsiErrorKind::Forbidden
}

#[cfg(test)]
mod tests {
    use domain::{CharacterId, KillmailId, ListOwner};

    use super::EsiErrorKind::*;
    use super::*;

    fn body(error: &str, sso_status: Option<i64>) -> ErrorBody {
        let error = (!error.is_empty()).then(|| error.to_owned());
        ErrorBody { error, sso_status, ..ErrorBody::default() }
    }

    #[test]
    fn table_of_refusals() {
        let list = |page| Call::List { owner: ListOwner::Character(CharacterId::parse(5).unwrap()), page };
        let mail = Call::Body { killmail_id: KillmailId::parse(7).unwrap() };
        let no_page = "Undefined 404 response. Original message: Requested page does not exist!";
        let cases = [
            (list(1), 400, "bad compatibility date", None, Refused { status: 400 }),
            (mail, 400, "", None, Refused { status: 400 }),
            (list(1), 401, "Unauthorized - Invalid token", None, Unauthorized),
            (list(1), 403, "Token is not valid for any required scope", None, ScopeMissing),
            (list(1), 403, "Character does not have required role(s)", None, RoleMissing),
            (list(1), 403, "Character is not in the corporation", None, NotInCorporation),
            (list(1), 403, "", None, Forbidden),
            (list(1), 403, "token expiry is too far in the future", Some(200), Unauthorized),
            (list(1), 403, "expired", Some(400), Unauthorized),
            (list(1), 403, "SSO responded with a 400: Invalid token", None, Unauthorized),
            (list(1), 403, "unexpected end of JSON input", Some(401), SsoTrouble),
            (list(1), 403, "invalid character '<' looking for beginning of value", None, SsoTrouble),
            (list(1), 403, "something else", Some(502), SsoTrouble),
            (list(1), 404, "Requested page does not exist!", None, PageDoesNotExist),
            (list(1), 404, "", None, PageDoesNotExist),
            (list(2), 404, "Requested page does not exist!", None, PageDoesNotExist),
            (list(2), 404, "Not found", None, Unavailable { status: 404 }),
            (list(2), 404, "", None, Unavailable { status: 404 }),
            (list(2), 500, no_page, None, PageDoesNotExist),
            (list(1), 500, no_page, None, Unavailable { status: 500 }),
            (mail, 404, "", None, Refused { status: 404 }),
            (mail, 408, "", None, Unavailable { status: 408 }),
            (mail, 422, "Invalid killmail_id and/or killmail_hash", None, InvalidReference),
            (list(1), 422, "", None, Refused { status: 422 }),
            (mail, 500, "", None, Unavailable { status: 500 }),
            (mail, 504, "Timeout contacting tranquility", None, Unavailable { status: 504 }),
            (mail, 520, "", None, Unavailable { status: 520 }),
        ];
        for (call, status, error, sso_status, expected) in cases {
            assert_eq!(by_words(call, status, &body(error, sso_status)), expected, "{call}: {status} {error:?}");
        }
        let page = ErrorBody { is_html: true, ..ErrorBody::default() };
        for status in [401, 403, 404, 422, 502] {
            assert_eq!(by_words(list(1), status, &page), Unavailable { status });
        }
    }
}
