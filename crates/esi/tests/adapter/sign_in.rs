//! A pilot signs in: where the browser is sent, how the code is exchanged, and how the client says who it is.

use std::collections::HashMap;

use domain::FailureClass;
use esi::{ClientAuth, SignIn, SignInRequest, Sso, SsoSettings};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::{Url, form_urlencoded};

use crate::server::{Received, Reply, Server, http, json, reply};

const SECRET: &str = "client+secret/=";
const CODE: &str = "code+/=of-a-login";
/// 32 bytes of 8, as they are sent.
const VERIFIER: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg";
const BASIC: &str = "Basic Y2xpZW50OmNsaWVudCtzZWNyZXQvPQ==";

fn basic() -> ClientAuth {
    ClientAuth::Basic(SecretString::from(SECRET))
}

fn in_the_body() -> ClientAuth {
    ClientAuth::Body(SecretString::from(SECRET))
}

async fn token_endpoint(script: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |received| match received.path.as_str() {
        "/v2/oauth/token" => script(),
        _ => json(404, ""),
    })
    .await
}

fn grant() -> Reply {
    json(200, r#"{"access_token":"a.b.c","expires_in":1199,"token_type":"Bearer","refresh_token":"next+/=="}"#)
}

fn sso(server: &Server, client_auth: ClientAuth) -> Sso {
    Sso::build(http(), SsoSettings { client_auth, ..server.sso_settings() }).unwrap()
}

async fn begin(sso: &Sso) -> SignIn {
    let redirect_url = Url::parse("http://127.0.0.1:8721/callback").unwrap();
    let scopes = ["esi-killmails.read_killmails.v1".to_owned()];
    sso.begin_sign_in(&SignInRequest { redirect_url: &redirect_url, scopes: &scopes, chance: [[7; 32], [8; 32]] }).await
}

/// The one token call, and its form.
fn token_call(server: &Server) -> (Received, HashMap<String, String>) {
    let mut calls: Vec<_> =
        server.received().into_iter().filter(|received| received.path == "/v2/oauth/token").collect();
    assert_eq!(calls.len(), 1);
    let call = calls.remove(0);
    let form = form_urlencoded::parse(call.body.as_bytes()).into_owned().collect();
    (call, form)
}

fn form<const COUNT: usize>(members: [(&str, &str); COUNT]) -> HashMap<String, String> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn the_client_says_who_it_is_as_its_provider_wants_it() {
    let (id, secret) = (("client_id", "client"), ("client_secret", SECRET));
    let login =
        [("grant_type", "authorization_code"), ("code", CODE), ("redirect_uri", "http://127.0.0.1:8721/callback")];
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "r+/==")];
    let verifier = ("code_verifier", VERIFIER);
    let [grant_type, code, redirect] = login;
    let [refresh_type, token] = refresh;
    let cases = [
        (basic(), Some(BASIC), form(login), form(refresh)),
        (in_the_body(), None, form([grant_type, code, redirect, id, secret]), form([refresh_type, token, id, secret])),
        (ClientAuth::None, None, form([grant_type, code, redirect, verifier, id]), form([refresh_type, token, id])),
    ];
    for (client_auth, authorization, expected_login, expected_refresh) in cases {
        let server = token_endpoint(grant).await;
        let sso = sso(&server, client_auth.clone());
        let sign_in = begin(&sso).await;
        let grant = sso.exchange_code(&sign_in, &SecretString::from(CODE)).await.unwrap();
        assert_eq!(grant.refresh_token.unwrap().expose_secret(), "next+/==");
        assert_eq!(grant.access.unwrap().access_token.expose_secret(), "a.b.c");
        let (call, found) = token_call(&server);
        assert_eq!((call.header("authorization"), found), (authorization, expected_login), "{client_auth:?}");

        let server = token_endpoint(self::grant).await;
        self::sso(&server, client_auth.clone()).refresh(&SecretString::from("r+/==")).await.unwrap();
        let (call, found) = token_call(&server);
        assert_eq!((call.header("authorization"), found), (authorization, expected_refresh), "{client_auth:?}");
    }
}

#[tokio::test]
async fn the_address_to_sign_in_at_is_discovered_or_set() {
    let discovering = |document: serde_json::Value| {
        Server::start(move |received| match received.path.as_str() {
            "/.well-known/oauth-authorization-server" => json(200, document.to_string()),
            _ => json(404, ""),
        })
    };
    let document = |authorize: Option<&str>| {
        let mut document =
            json!({ "token_endpoint": "https://127.0.0.1:1/token", "jwks_uri": "https://a.example/keys" });
        if let Some(authorize) = authorize {
            document["authorization_endpoint"] = authorize.into();
        }
        document
    };
    let server = discovering(document(Some("https://a.example/authorize"))).await;
    let sign_in = begin(&server.sso()).await;
    assert!(sign_in.url.as_str().starts_with("https://a.example/authorize?response_type=code&client_id=client&"));

    let set = SsoSettings {
        authorize_url: Some(Url::parse("https://set.example/authorize").unwrap()),
        ..server.sso_settings()
    };
    let sign_in = begin(&Sso::build(http(), set).unwrap()).await;
    assert!(sign_in.url.as_str().starts_with("https://set.example/authorize?"));

    // A document without a usable one is as good as ever for refreshes.
    for authorize in [None, Some("http://elsewhere.example/authorize"), Some("nonsense")] {
        let server = discovering(document(authorize)).await;
        let sso = server.sso();
        let url = begin(&sso).await.url;
        assert!(url.as_str().starts_with(&format!("{}v2/oauth/authorize?", server.url)), "{url}");
        let refused = sso.refresh(&SecretString::from("r")).await.unwrap_err();
        assert!(!refused.to_string().contains("404"), "the token endpoint is the discovered one: {refused}");
    }
}

#[tokio::test]
async fn a_code_that_is_refused_is_told_without_any_secret() {
    let cases = [
        (400, "invalid_grant", "The code is gone", FailureClass::Wait(std::time::Duration::from_secs(900))),
        (401, "invalid_client", "Unknown client", FailureClass::Configuration),
    ];
    for (status, error, words, class) in cases {
        let body = json!({ "error": error, "error_description": format!("{words}: {CODE} {SECRET}") });
        let server = token_endpoint(move || json(status, body.to_string())).await;
        for client_auth in [basic(), in_the_body(), ClientAuth::None] {
            let sso = sso(&server, client_auth.clone());
            let sign_in = begin(&sso).await;
            let refused = sso.exchange_code(&sign_in, &SecretString::from(CODE)).await.unwrap_err();
            assert_eq!(refused.failure().class, class);
            let told = refused.to_string();
            assert!(
                told.starts_with(&format!("EVE SSO refused the login: {status} {error}: {words}: [cut]")),
                "{told}"
            );
            assert!(matches!(client_auth, ClientAuth::None) || !told.contains(SECRET), "{told}");
        }
    }
    let server = token_endpoint(|| reply(503, &[], "<html>")).await;
    let sso = server.sso();
    let sign_in = begin(&sso).await;
    let failed = sso.exchange_code(&sign_in, &SecretString::from(CODE)).await.unwrap_err();
    assert_eq!(failed.to_string(), "EVE SSO could not finish the login: it answered 503 (an HTML page)");
}

#[tokio::test]
async fn an_endpoint_that_echoes_the_verifier_gets_it_into_no_error() {
    let server = token_endpoint(|| {
        let body = json!({ "error": "invalid_request", "error_description": format!("sent: {VERIFIER}") });
        json(400, body.to_string())
    })
    .await;
    let sso = sso(&server, ClientAuth::None);
    let sign_in = begin(&sso).await;
    let refused = sso.exchange_code(&sign_in, &SecretString::from(CODE)).await.unwrap_err().to_string();
    assert_eq!(refused, "EVE SSO refused the login: 400 invalid_request: sent: [cut]");
}
