//! Where refreshes go: overrides, the discovery document, its cache, and doing without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use esi::{BuildError, Sso, SsoSettings, TimeLimits};
use secrecy::SecretString;
use url::Url;

use crate::server::{Reply, Server, http, json};

const DOCUMENT: &str = "/.well-known/oauth-authorization-server";
const GRANT: &str = r#"{"access_token":"a.b.c","expires_in":1199}"#;

/// A server whose discovery document names `token_endpoint` as long as `up` is true.
async fn server(token_endpoint: &'static str, up: Arc<AtomicBool>) -> Server {
    Server::start(move |received| match received.path.as_str() {
        DOCUMENT if up.load(Ordering::Relaxed) => {
            let base = format!("http://{}", received.header("host").unwrap());
            let token_endpoint = token_endpoint.replace("{base}", &base);
            json(200, format!(r#"{{"issuer":"x","token_endpoint":"{token_endpoint}","jwks_uri":"{base}/keys"}}"#))
        }
        DOCUMENT => json(503, ""),
        _ => json(200, GRANT),
    })
    .await
}

async fn refresh(sso: &Sso) {
    sso.refresh(&SecretString::from("refresh")).await.unwrap();
}

fn always_ask() -> TimeLimits {
    TimeLimits { discovery_lives_for: Duration::ZERO, metadata_pause: Duration::ZERO, ..TimeLimits::default() }
}

#[tokio::test]
async fn the_document_is_asked_for_once_in_a_while() {
    let up = Arc::new(AtomicBool::new(true));
    let server = server("{base}/discovered/token", Arc::clone(&up)).await;
    let sso = server.sso();
    refresh(&sso).await;
    refresh(&sso).await;
    assert_eq!(server.paths(), [DOCUMENT, "/discovered/token", "/discovered/token"]);
}

#[tokio::test]
async fn a_known_endpoint_outlives_its_document() {
    let up = Arc::new(AtomicBool::new(true));
    let server = server("{base}/discovered/token", Arc::clone(&up)).await;
    let sso = server.sso_with(always_ask());
    refresh(&sso).await;
    up.store(false, Ordering::Relaxed);
    refresh(&sso).await;
    assert_eq!(server.paths(), [DOCUMENT, "/discovered/token", DOCUMENT, "/discovered/token"]);
}

#[tokio::test]
async fn without_a_document_the_usual_paths_serve_and_nobody_is_pestered() {
    let up = Arc::new(AtomicBool::new(false));
    let server = server("{base}/discovered/token", Arc::clone(&up)).await;
    let sso = server.sso();
    refresh(&sso).await;
    refresh(&sso).await;
    assert_eq!(server.paths(), [DOCUMENT, "/v2/oauth/token", "/v2/oauth/token"]);
}

#[tokio::test]
async fn a_document_that_hangs_does_not_stop_a_refresh() {
    let server = Server::start(|received| match received.path.as_str() {
        DOCUMENT => Reply::Never,
        _ => json(200, GRANT),
    })
    .await;
    refresh(&server.sso_with(TimeLimits { metadata: Duration::from_millis(200), ..TimeLimits::default() })).await;
    assert_eq!(server.paths(), [DOCUMENT, "/v2/oauth/token"]);
}

#[tokio::test]
async fn a_document_cannot_send_our_secret_astray() {
    for token_endpoint in ["http://sso.example.org/token", "ftp://127.0.0.1/token", "nonsense"] {
        let server = server(token_endpoint, Arc::new(AtomicBool::new(true))).await;
        refresh(&server.sso()).await;
        assert_eq!(server.paths(), [DOCUMENT, "/v2/oauth/token"], "{token_endpoint}");
    }
}

#[tokio::test]
async fn an_override_asks_nobody() {
    let server = server("{base}/discovered/token", Arc::new(AtomicBool::new(true))).await;
    let token_url = Some(server.url.join("/mine").unwrap());
    let settings = SsoSettings { token_url, ..server.sso_settings() };
    refresh(&Sso::build(http(), settings).unwrap()).await;
    assert_eq!(server.paths(), ["/mine"]);
}

#[tokio::test]
async fn settings_that_would_leak_are_refused() {
    let server = server("", Arc::new(AtomicBool::new(true))).await;
    let plain = || Url::parse("http://sso.example.org/token").unwrap();
    let build = |settings| Sso::build(http(), settings);
    let settings = || server.sso_settings();
    for wrong in [
        SsoSettings { sso_url: plain(), ..settings() },
        SsoSettings { token_url: Some(plain()), ..settings() },
        SsoSettings { jwks_url: Some(plain()), ..settings() },
        SsoSettings { authorize_url: Some(plain()), ..settings() },
    ] {
        let error = build(wrong).unwrap_err();
        assert!(matches!(error, BuildError::Address { .. }) && error.to_string().contains("use https://"), "{error}");
    }
    for client_id in ["", "a:b", "a b", "ä"] {
        let error = build(SsoSettings { client_id: client_id.to_owned(), ..settings() }).unwrap_err();
        assert!(matches!(error, BuildError::ClientId));
    }
}
