//! The refresh grant: what is sent, what comes back, and who is blamed.

use std::time::Duration;

use domain::FailureClass;
use domain::token::RefusalClass;
use esi::{Grant, RefreshError, Sso, SsoSettings, Trouble};
use secrecy::{ExposeSecret, SecretString};

use crate::server::{CONTACT, Reply, Server, dead_address, http, json, reply, short_limits};

const REFRESH_TOKEN: &str = "MDEyMzQ1+jc4/WFiY2RlZg==";

/// Answers the token endpoint by the script and knows no discovery document.
async fn token_endpoint(script: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |received| match received.path.as_str() {
        "/v2/oauth/token" => script(),
        _ => json(404, ""),
    })
    .await
}

async fn refresh(server: &Server) -> Result<Grant, RefreshError> {
    server.sso().refresh(&SecretString::from(REFRESH_TOKEN)).await
}

#[tokio::test]
async fn a_grant_and_the_request_for_it() {
    let body = r#"{"access_token":"a.b.c","expires_in":1199,"token_type":"Bearer","refresh_token":"next+/=="}"#;
    let server = token_endpoint(move || json(200, body)).await;
    let grant = refresh(&server).await.unwrap();
    let access = grant.access.unwrap();
    assert_eq!(access.access_token.expose_secret(), "a.b.c");
    assert_eq!(grant.refresh_token.unwrap().expose_secret(), "next+/==");
    assert_eq!(access.expires_in, Duration::from_secs(1199));

    let received = server.received();
    let request = received.iter().find(|received| received.path == "/v2/oauth/token").unwrap();
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("authorization"), Some("Basic Y2xpZW50OmNsaWVudC1zZWNyZXQ="));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(request.header("user-agent").unwrap().contains(CONTACT));
    assert_eq!(request.body, "grant_type=refresh_token&refresh_token=MDEyMzQ1%2Bjc4%2FWFiY2RlZg%3D%3D");
}

#[tokio::test]
async fn a_grant_without_a_new_refresh_token() {
    for rest in ["", r#","refresh_token":null"#, r#","refresh_token":"""#] {
        let body = format!(r#"{{"access_token":"a.b.c","expires_in":1200{rest}}}"#);
        let server = token_endpoint(move || json(200, body.clone())).await;
        let grant = refresh(&server).await.unwrap();
        assert!(grant.refresh_token.is_none());
        assert_eq!(grant.access.unwrap().expires_in, Duration::from_secs(1200));
    }
}

#[tokio::test]
async fn table_of_refusals() {
    use FailureClass::{Configuration, Wait};
    let probe = Wait(Duration::from_secs(900));
    let cases = [
        (400, "invalid_grant", "Invalid refresh token. Character grant missing/expired.", RefusalClass::User, probe),
        (400, "invalid_grant: Token is expired or invalid.", "", RefusalClass::User, probe),
        (400, "invalid_token", "The refresh token is expired.", RefusalClass::User, probe),
        (401, "invalid_grant", "", RefusalClass::User, probe),
        (401, "invalid_client", "Missing or invalid client", RefusalClass::Configuration, Configuration),
        (400, "unauthorized_client", "", RefusalClass::Configuration, Configuration),
        (400, "unsupported_grant_type", "", RefusalClass::Configuration, Configuration),
        (400, "invalid_request", "Refresh token is missing.", RefusalClass::Configuration, Configuration),
    ];
    for (status, error, words, expected, failure_class) in cases {
        let body = format!(r#"{{"error":"{error}","error_description":"{words}"}}"#);
        let server = token_endpoint(move || json(status, body.clone())).await;
        let refused = refresh(&server).await.unwrap_err();
        assert_eq!(refused.class(), expected, "{error}");
        assert_eq!(refused.code(), error.split(':').next().unwrap());
        assert_eq!(refused.failure().class, failure_class);
        let RefreshError::Refused { status: found, description, .. } = refused else { panic!("{error}") };
        assert_eq!((found, description.as_str()), (status, words));
    }
    // Known by its words alone.
    let server = token_endpoint(|| reply(400, &[], "Grant type refresh_token is not supported.")).await;
    let refused = refresh(&server).await.unwrap_err();
    assert_eq!((refused.class(), refused.code()), (RefusalClass::Configuration, "http_400"));
}

#[tokio::test]
async fn trouble_is_held_against_nobody() {
    type Case = (u16, &'static [(&'static str, &'static str)], &'static str, &'static str, Option<u64>);
    let cases: [Case; 17] = [
        (500, &[], r#"{"Message":"An error has occurred."}"#, "sso_unavailable", None),
        (503, &[("retry-after", "120")], "", "sso_unavailable", Some(120)),
        (502, &[], "<html>invalid_grant</html>", "sso_unavailable", None),
        (429, &[("retry-after", "7")], r#"{"error":"invalid_grant"}"#, "sso_unavailable", Some(7)),
        (429, &[], "", "sso_unavailable", Some(60)),
        (400, &[], r#"{"error":"invalid_scope"}"#, "invalid_scope", None),
        (401, &[], r#"{"error":"invalid_scope","error_description":"It is gone."}"#, "invalid_scope", None),
        (400, &[], r#"{"error":"surprise!"}"#, "surprise", None),
        (400, &[], "<html>", "sso_unavailable", None),
        (400, &[("retry-after", "9")], "", "sso_unavailable", Some(9)),
        (403, &[], "<html>is not supported</html>", "sso_unavailable", None),
        (302, &[("location", "https://maintenance.example.org/")], "", "sso_redirected", None),
        (200, &[], "<html>", "sso_unreadable", None),
        (200, &[], r#"{"expires_in":1199}"#, "sso_unreadable", None),
        (200, &[], r#"{"access_token":"a.b.c"}"#, "sso_unreadable", None),
        (200, &[], r#"{"access_token":"a.b.c","expires_in":0}"#, "sso_unreadable", None),
        (200, &[], r#"{"access_token":"a.b.c","expires_in":-1199}"#, "sso_unreadable", None),
    ];
    for (status, headers, body, code, seconds) in cases {
        let server = token_endpoint(move || reply(status, headers, body)).await;
        let error = refresh(&server).await.unwrap_err();
        assert_eq!((error.class(), error.code()), (RefusalClass::Transient, code), "{status} {body}");
        let wait = seconds.map_or(FailureClass::Transient, |seconds| FailureClass::Wait(Duration::from_secs(seconds)));
        assert_eq!(error.failure().class, wait, "{status} {body}");
        assert_eq!(server.paths().iter().filter(|path| *path == "/v2/oauth/token").count(), 1);
    }
}

#[tokio::test]
async fn no_answer_is_trouble() {
    let server = token_endpoint(|| Reply::Never).await;
    let error = server.sso_with(short_limits()).refresh(&SecretString::from(REFRESH_TOKEN)).await.unwrap_err();
    assert_eq!(error, Trouble::Unreachable("no answer in time".to_owned()).into());

    let settings = SsoSettings { sso_url: dead_address().await, ..server.sso_settings() };
    let sso = Sso::build(http(), settings).unwrap();
    let error = sso.refresh(&SecretString::from(REFRESH_TOKEN)).await.unwrap_err();
    assert_eq!((error.class(), error.code()), (RefusalClass::Transient, "sso_unreachable"));
}

#[tokio::test]
async fn an_endpoint_that_echoes_gets_no_secret_into_an_error() {
    let forms = [REFRESH_TOKEN, "MDEyMzQ1%2Bjc4%2FWFiY2RlZg%3D%3D", "client-secret"];
    for form in forms {
        // Far enough back that the bound of 200 characters falls into it.
        let padding = "x".repeat(190);
        for words in [format!("Sent: refresh_token={form}"), format!("{padding}{form}{padding}")] {
            for (status, member) in [(400, "error_description"), (400, "error"), (500, "error"), (500, "Message")] {
                let (words, code) = (words.clone(), if member == "error" { "" } else { r#""error":"invalid_grant","# });
                let body = format!(r#"{{{code}"{member}":"{words}"}}"#);
                let server = token_endpoint(move || json(status, body.clone())).await;
                let error = refresh(&server).await.unwrap_err();
                for shown in [error.to_string(), format!("{error:?}"), error.failure().reason, error.code().to_owned()]
                {
                    // Neither the secret nor its first half.
                    assert!(!shown.contains(&form[..6]), "{shown}");
                    assert!(shown.chars().count() < 600, "{shown}");
                }
            }
        }
    }
}

#[tokio::test]
async fn nothing_public_prints_a_token() {
    let server =
        token_endpoint(|| json(200, r#"{"access_token":"aaa.bbb","expires_in":9,"refresh_token":"rrr"}"#)).await;
    let grant = refresh(&server).await.unwrap();
    let shown = format!("{grant:?} {:?} {:?}", server.sso(), server.sso_settings());
    for secret in ["aaa.bbb", "rrr", "client-secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
