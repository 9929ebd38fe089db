//! Killmail lists: the request, the page, and every answer that is not one.

use std::time::Duration;

use domain::{CharacterId, FailureClass, ListOwner};
use esi::{Answered, EsiError, EsiErrorKind, ListPage};
use secrecy::SecretString;

use crate::server::{Server, json, reply};

const HASH: &str = "9802da62e92a1d86fabdd48963e714819106fa8b";

async fn ask(server: &Server, page: u32, etag: Option<&str>) -> Result<Answered<ListPage>, EsiError> {
    let character_id = CharacterId::parse(90_000_001).unwrap();
    server
        .esi()
        .killmail_list(ListOwner::Character(character_id), page, &SecretString::from("access.token"), etag)
        .await
}

fn one_row() -> String {
    format!(r#"[{{"killmail_hash":"{HASH}","killmail_id":137202920,"from_the_future":true}}]"#)
}

#[tokio::test]
async fn a_page_with_all_that_stands_beside_it() {
    let server = Server::start(|_| {
        let headers = [
            ("date", "Fri, 20 Nov 2026 12:00:00 GMT"),
            ("content-type", "application/json"),
            ("cache-control", "private, max-age=299"),
            ("etag", "W/\"0f6c1b\""),
            ("expires", "Fri, 20 Nov 2026 12:05:00 GMT"),
            ("x-pages", "3"),
            ("x-esi-request-id", "6f0e1b1e"),
            ("x-ratelimit-group", "char-killmail"),
            ("x-ratelimit-limit", "30/15m"),
            ("x-ratelimit-remaining", "28"),
            ("x-ratelimit-used", "2"),
        ];
        reply(200, &headers, one_row())
    })
    .await;
    let answered = ask(&server, 2, None).await.unwrap();
    let ListPage::Page { references, pages, etag } = answered.value else { panic!("no page") };
    assert_eq!(references.len(), 1);
    assert_eq!(references[0].killmail_id.get(), 137_202_920);
    assert_eq!(references[0].killmail_hash.as_str(), HASH);
    assert_eq!((pages, etag.as_deref()), (Some(3), Some("W/\"0f6c1b\"")));
    let budget = answered.budget.unwrap();
    assert_eq!((budget.group.as_str(), budget.limit, budget.remaining), ("char-killmail", 30, 28));
    assert_eq!((budget.window, budget.used), (Duration::from_secs(900), Some(2)));
    assert_eq!(answered.error_limit, None, "a route with a bucket does not tell");
    assert_eq!(answered.cache.lives_for, Duration::from_secs(300));
    assert_eq!(answered.request_id.as_deref(), Some("6f0e1b1e"));

    let received = server.received();
    assert_eq!(received.len(), 1);
    assert_eq!(
        (received[0].method.as_str(), received[0].path.as_str()),
        ("GET", "/characters/90000001/killmails/recent?page=2")
    );
    assert_eq!(received[0].header("authorization"), Some("Bearer access.token"));
    assert_eq!(received[0].header("x-compatibility-date"), Some("2026-08-18"));
    assert_eq!(received[0].header("accept-encoding"), Some("gzip"));
    assert_eq!(received[0].header("if-none-match"), None);
    let user_agent = received[0].header("user-agent").unwrap();
    let expected = format!("killfleet/{} (ops@example.org; +https://", env!("CARGO_PKG_VERSION"));
    assert!(user_agent.starts_with(&expected), "{user_agent}");
}

#[tokio::test]
async fn an_unchanged_page_is_a_success() {
    let server = Server::start(|_| reply(304, &[("cache-control", "max-age=17")], "")).await;
    let answered = ask(&server, 1, Some("W/\"0f6c1b\"")).await.unwrap();
    assert_eq!(answered.value, ListPage::NotModified);
    assert_eq!(answered.cache.lives_for, Duration::from_secs(18));
    assert_eq!(server.received()[0].header("if-none-match"), Some("W/\"0f6c1b\""));
    // Without a validator it makes no sense; one that cannot stand in a header is not sent.
    for etag in [None, Some("line\nbreak")] {
        let error = ask(&server, 1, etag).await.unwrap_err();
        assert!(matches!(error.kind(), EsiErrorKind::Unreadable(_)), "{error}");
    }
}

#[tokio::test]
async fn an_empty_list_has_two_forms() {
    for (status, body, pages) in [(200, "[]", None), (404, r#"{"error":"Not found"}"#, Some(1)), (404, "", Some(1))] {
        let empty = ListPage::Page { references: Vec::new(), pages, etag: None };
        let server = Server::start(move |_| json(status, body)).await;
        for page in [0, 1] {
            let answered = ask(&server, page, None).await.unwrap();
            assert_eq!(answered.value, empty, "{status}");
            assert_eq!((answered.budget, answered.request_id), (None, None), "no header says anything");
            assert_eq!(answered.cache.lives_for, Duration::from_secs(300));
        }
        assert!(server.paths().iter().all(|path| path.ends_with("?page=1")));
    }
    let server = Server::start(|_| json(404, r#"{"error":"Requested page does not exist!"}"#)).await;
    let error = ask(&server, 2, None).await.unwrap_err();
    assert_eq!(*error.kind(), EsiErrorKind::PageDoesNotExist);
}

#[tokio::test]
async fn an_empty_page_that_says_that_others_follow_is_no_end() {
    for (page, pages, is_end) in [(1, "2", false), (2, "3", false), (1, "1", true), (3, "3", true), (3, "2", true)] {
        let server = Server::start(move |_| reply(200, &[("x-pages", pages)], "[]")).await;
        match ask(&server, page, None).await {
            Ok(_) => assert!(is_end, "page {page} of {pages}"),
            Err(error) => {
                assert!(!is_end && matches!(error.kind(), EsiErrorKind::Unreadable(_)), "{error}");
                assert_eq!(error.failure().class, FailureClass::Transient);
            }
        }
    }
}

#[tokio::test]
async fn a_list_is_all_or_nothing() {
    let good = one_row();
    let bodies = [
        good.replace("137202920", "0"),
        good.replace("137202920", "\"137202920\""),
        good.replace(HASH, &HASH.to_uppercase()),
        good.replace("killmail_hash", "hash"),
        format!("[{},7]", good.trim_matches(['[', ']'])),
        good.trim_end_matches(']').to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        String::new(),
        "<html><body>Maintenance</body></html>".to_owned(),
    ];
    for body in bodies {
        let answer = body.clone();
        let server = Server::start(move |_| reply(200, &[("etag", "\"x\"")], answer.clone())).await;
        let error = ask(&server, 1, None).await.unwrap_err();
        assert!(matches!(error.kind(), EsiErrorKind::Unreadable(_)), "{error} for {body}");
        assert_eq!(error.failure().class, FailureClass::Transient, "{body}");
    }
}

#[tokio::test]
async fn an_error_tells_what_it_cost_and_its_request_id() {
    let server = Server::start(|_| {
        let headers = [
            ("x-esi-request-id", "6f0e1b1e"),
            ("x-ratelimit-group", "char-killmail"),
            ("x-ratelimit-limit", "30/15m"),
            ("x-ratelimit-remaining", "25"),
            ("x-ratelimit-used", "5"),
        ];
        reply(403, &headers, r#"{"error":"Forbidden for you"}"#)
    })
    .await;
    let error = ask(&server, 1, None).await.unwrap_err();
    assert_eq!(error.budget().map(|budget| (budget.remaining, budget.used)), Some((25, Some(5))));
    assert_eq!(error.request_id(), Some("6f0e1b1e"));
    assert_eq!(
        error.failure().reason,
        "killmail list of character 90000001, page 1: ESI forbids it (it said: Forbidden for you)"
    );
}

#[tokio::test]
async fn the_access_token_reaches_no_error() {
    let echo = |status| move |_: &_| json(status, r#"{"error":"what is access.token for? access.token?"}"#);
    for status in [200, 401, 403, 500] {
        let server = Server::start(echo(status)).await;
        let error = ask(&server, 1, None).await.unwrap_err();
        for shown in [error.to_string(), format!("{error:?}"), error.failure().reason] {
            assert!(!shown.contains("access.token"), "{shown}");
        }
    }
    let server = Server::start(|_| json(200, r#"["access.token"]"#)).await;
    let error = ask(&server, 1, None).await.unwrap_err();
    assert!(error.to_string().contains("[cut]") && !format!("{error:?}").contains("access.token"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_a_token_is_not_sent() {
    let server = Server::start(|_| json(200, "[]")).await;
    let token = SecretString::from("line\nbreak");
    let character_id = CharacterId::parse(1).unwrap();
    let error = server.esi().killmail_list(ListOwner::Character(character_id), 1, &token, None).await.unwrap_err();
    assert_eq!(*error.kind(), EsiErrorKind::Unauthorized);
    assert_eq!(server.received().len(), 0);
}
