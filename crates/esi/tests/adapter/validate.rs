//! Whether an access token still stands: every answer is told from every other, and only 401 speaks of the login.

use std::time::Duration;

use domain::FailureClass;
use esi::{Sso, SsoSettings, ValidateError, Validity};
use secrecy::SecretString;

use crate::server::{Reply, Server, http, json, reply};

const TOKEN: &str = "access+/token==";

async fn asked(script: impl Fn() -> Reply + Send + Sync + 'static) -> (Server, Result<Validity, ValidateError>) {
    let server = Server::start(move |_| script()).await;
    let validate_url = Some(server.url.join("/oauth2/validate").unwrap());
    let sso = Sso::build(http(), SsoSettings { validate_url, ..server.sso_settings() }).unwrap();
    let answer = sso.validate(&SecretString::from(TOKEN)).await.unwrap();
    (server, answer)
}

#[tokio::test]
async fn a_token_that_stands_is_shown_as_twitch_wants_it_and_nothing_else_is_asked() {
    let body = r#"{"client_id":"client","login":"pilot","scopes":[],"user_id":"7","expires_in":5520838}"#;
    let (server, answer) = asked(move || json(200, body)).await;
    assert_eq!(answer, Ok(Validity::Stands));
    let received = server.received();
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].method.as_str(), received[0].path.as_str()), ("GET", "/oauth2/validate"));
    assert_eq!(received[0].headers["authorization"], format!("OAuth {TOKEN}"));
}

#[tokio::test]
async fn what_is_revoked_is_said_without_the_token() {
    let body = r#"{"status":401,"message":"invalid access token access+/token=="}"#;
    let (_server, answer) = asked(move || json(401, body)).await;
    assert_eq!(answer, Ok(Validity::Revoked { said: "invalid access token [cut]".to_owned() }));
}

#[tokio::test]
async fn no_other_answer_speaks_of_the_login() {
    let with = |status: u16, body: &'static str| async move { asked(move || json(status, body)).await.1 };
    for (status, body) in [(200, "<html>"), (200, "[]"), (200, ""), (204, ""), (408, ""), (500, ""), (503, "<html>")] {
        let failure = with(status, body).await.unwrap_err().failure();
        assert_eq!(failure.class, FailureClass::Transient, "{status} {body}");
    }
    for status in [302, 400, 403, 404, 405, 451] {
        let failure = with(status, "{}").await.unwrap_err().failure();
        assert_eq!(failure.class, FailureClass::Configuration, "{status}");
        assert!(failure.reason.contains(&status.to_string()), "{failure}");
    }
    let minute = FailureClass::Wait(Duration::from_secs(60));
    assert_eq!(with(429, "").await.unwrap_err().failure().class, minute);
    let (_server, answer) = asked(|| reply(503, &[("retry-after", "7")], "")).await;
    assert_eq!(answer.unwrap_err().failure().class, FailureClass::Wait(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_provider_without_such_an_address_is_not_asked() {
    let server = Server::start(|_| json(401, "{}")).await;
    assert_eq!(server.sso().validate(&SecretString::from(TOKEN)).await, None);
    assert_eq!(server.paths(), Vec::<String>::new());
}
