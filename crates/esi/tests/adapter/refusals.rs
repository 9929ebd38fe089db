//! Every refusal of ESI that is on record, in its own words, on both routes: what kind it is, and what that asks of
//! the job. No answer of any kind makes the adapter ask again on its own.

use std::time::Duration;

use domain::{CharacterId, FailureClass, KillmailHash, KillmailId, KillmailRef, ListOwner};
use esi::{EsiError, EsiErrorKind};
use secrecy::SecretString;

use crate::server::{Server, reply};

type Headers = &'static [(&'static str, &'static str)];

const ERROR_LIMIT: &str = "This software has exceeded the error limit for ESI. If you are a user, please contact the \
                           maintainer of this software.";
const NO_SUCH_PAGE: &str = r#"{"error":"Requested page does not exist!"}"#;
/// As ESI wrapped it in earlier years.
const NO_SUCH_PAGE_WRAPPED: &str =
    r#"{"error":"Undefined 404 response. Original message: Requested page does not exist!"}"#;

#[derive(Debug, Clone, Copy)]
enum Route {
    List { page: u32 },
    Body,
}
use Route::{Body, List};
const FIRST: Route = List { page: 1 };
const LATER: Route = List { page: 2 };

async fn refused(route: Route, status: u16, headers: Headers, body: &'static str) -> EsiError {
    let server = Server::start(move |_| reply(status, headers, body)).await;
    let esi = server.esi();
    let error = match route {
        List { page } => {
            let character_id = CharacterId::parse(90_000_001).unwrap();
            esi.killmail_list(ListOwner::Character(character_id), page, &SecretString::from("access.token"), None)
                .await
                .unwrap_err()
        }
        Body => {
            let killmail_hash = KillmailHash::parse("ab".repeat(20)).unwrap();
            let reference = KillmailRef { killmail_id: KillmailId::parse(7).unwrap(), killmail_hash };
            esi.killmail_body(&reference).await.unwrap_err()
        }
    };
    assert_eq!(server.received().len(), 1, "{route:?} {status} {body}");
    error
}

fn wait(seconds: u64) -> FailureClass {
    FailureClass::Wait(Duration::from_secs(seconds))
}

#[tokio::test]
async fn table_of_refusals_on_record() {
    use EsiErrorKind::{
        InvalidReference, NotInCorporation, PageDoesNotExist, RoleMissing, ScopeMissing, SsoTrouble, Unauthorized,
    };
    use FailureClass::{Refused, Transient};
    let odd = |status| EsiErrorKind::Refused { status };
    let unavailable = |status| EsiErrorKind::Unavailable { status };
    let (hour, day) = (wait(3600), wait(86_400));
    let bad_date =
        r#"{"error":"Invalid compatibility date","status":400,"details":[{"location":"header","value":null}]}"#;
    let cases = [
        (FIRST, 400, bad_date, odd(400), hour),
        (LATER, 400, bad_date, odd(400), Transient),
        (Body, 400, bad_date, odd(400), Refused),
        (FIRST, 401, r#"{"error":"Unauthorized - Invalid token"}"#, Unauthorized, Transient),
        (FIRST, 401, r#"{"error":"Unauthorized - No token provided"}"#, Unauthorized, Transient),
        (FIRST, 403, r#"{"error":"Token is not valid for any required scope"}"#, ScopeMissing, day),
        (FIRST, 403, r#"{"error":"Character does not have required role(s)"}"#, RoleMissing, day),
        (FIRST, 403, r#"{"error":"Character is not in the corporation"}"#, NotInCorporation, day),
        (FIRST, 403, r#"{"error":"token expiry is too far in the future","sso_status":200}"#, Unauthorized, Transient),
        (FIRST, 403, r#"{"error":"expired","sso_status":400}"#, Unauthorized, Transient),
        (FIRST, 403, r#"{"error":"SSO responded with a 400: Invalid token"}"#, Unauthorized, Transient),
        (FIRST, 403, r#"{"error":"unexpected end of JSON input","sso_status":401}"#, SsoTrouble, Transient),
        (
            FIRST,
            403,
            r#"{"error":"invalid character '<' looking for beginning of value","sso_status":502}"#,
            SsoTrouble,
            Transient,
        ),
        (LATER, 404, NO_SUCH_PAGE, PageDoesNotExist, Transient),
        (LATER, 500, NO_SUCH_PAGE_WRAPPED, PageDoesNotExist, Transient),
        (FIRST, 500, NO_SUCH_PAGE_WRAPPED, unavailable(500), Transient),
        (Body, 404, r#"{"error":"Killmail not found"}"#, odd(404), Refused),
        (Body, 422, r#"{"error":"Invalid killmail_id and/or killmail_hash"}"#, InvalidReference, Refused),
        (FIRST, 422, r#"{"error":"page: not a number","status":422,"details":[]}"#, odd(422), hour),
    ];
    for (route, status, body, kind, class) in cases {
        let error = refused(route, status, &[], body).await;
        assert_eq!((error.kind(), error.failure().class), (&kind, class), "{route:?} {status} {body}");
    }
}

#[tokio::test]
async fn trouble_on_the_way_passes_whatever_its_body() {
    let cases = [
        // Not the error limit of ESI, but that of something behind it.
        (500, r#"{"error":"Undefined 429 response. Original message: Too many errors. You have been throttled."}"#),
        (500, r#"{"error":"internal server error"}"#),
        (502, "<html><h1>Bad Gateway</h1></html>"),
        (502, ""),
        (503, r#"{"error":"The datasource tranquility is temporarily unavailable"}"#),
        (503, r#"{"error":"ESI is currently in maintenance mode. Please try again later."}"#),
        (504, r#"{"error":"Timeout contacting tranquility","timeout":10}"#),
        (504, r#"{"error":"Timeout waiting on backend"}"#),
        (520, r#"{"error":"too many requests to the monolith"}"#),
        (408, ""),
        // A page for people comes from something in front of ESI, and means nothing of what its status says.
        (401, "<html>"),
        (403, "<html>"),
        (404, "<html>"),
        (422, "<html>"),
    ];
    for route in [FIRST, LATER, Body] {
        for (status, body) in cases {
            let error = refused(route, status, &[], body).await;
            assert_eq!(*error.kind(), EsiErrorKind::Unavailable { status }, "{route:?} {status} {body}");
            assert_eq!(error.failure().class, FailureClass::Transient, "{route:?} {status} {body}");
        }
    }
    let error = refused(FIRST, 404, &[("content-type", "text/html")], "Not Found").await;
    assert_eq!(*error.kind(), EsiErrorKind::Unavailable { status: 404 }, "no empty list");
}

#[tokio::test]
async fn table_of_waits() {
    const NOW: (&str, &str) = ("date", "Fri, 20 Nov 2026 12:00:00 GMT");
    let spent = |group: Option<&str>, seconds| EsiErrorKind::BudgetSpent {
        group: group.map(str::to_owned),
        retry_after: Duration::from_secs(seconds),
    };
    let limited = |seconds| EsiErrorKind::ErrorLimited { retry_after: Duration::from_secs(seconds) };
    let cases: [(u16, Headers, &'static str, EsiErrorKind, u64); 13] = [
        (420, &[("x-esi-error-limit-reset", "42")], "", limited(43), 43),
        (420, &[], "<html>", limited(60), 60),
        (420, &[("x-esi-error-limit-reset", "-1")], ERROR_LIMIT, limited(60), 60),
        (503, &[], ERROR_LIMIT, limited(60), 60),
        (429, &[("retry-after", "412"), ("x-ratelimit-group", "killmail")], "{}", spent(Some("killmail"), 412), 412),
        (429, &[NOW, ("retry-after", "Fri, 20 Nov 2026 12:02:00 GMT")], "", spent(None, 120), 120),
        (429, &[NOW, ("retry-after", "Fri, 20 Nov 2026 11:00:00 GMT")], "", spent(None, 1), 1),
        (429, &[NOW, ("retry-after", "Sat, 20 Nov 2027 12:00:00 GMT")], "", spent(None, 3600), 3600),
        (429, &[("retry-after", "31536000")], "", spent(None, 3600), 3600),
        (429, &[("retry-after", "-5")], "", spent(None, 60), 60),
        (429, &[("retry-after", "0")], "", spent(None, 1), 1),
        (429, &[("retry-after", "soon")], "", spent(None, 60), 60),
        (429, &[], "<html>", spent(None, 60), 60),
    ];
    for route in [FIRST, LATER, Body] {
        for (status, headers, body, kind, seconds) in &cases {
            let error = refused(route, *status, headers, body).await;
            assert_eq!(error.kind(), kind, "{route:?} {status} {headers:?}");
            assert_eq!(error.failure().class, wait(*seconds), "{route:?} {status} {headers:?}");
        }
    }
}
