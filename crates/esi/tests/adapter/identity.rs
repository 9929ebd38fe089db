//! Whose token it is: real signatures of both algorithms, the key set's cache and outages, and forgeries.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use esi::{Identity, IdentityError, SignatureCheck, Sso, TimeLimits};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::server::{Reply, Server, json as json_reply, reply};
use crate::tokens::{EXP, Signer, claims, encoded, key_set};

const KEYS: &str = "/oauth/jwks";
const KID: &str = "JWT-Signature-Key";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(EXP - 600, 0).unwrap()
}

/// A server whose key set the test can change; nothing there means that it is down.
async fn publishing(keys: &Arc<Mutex<Option<String>>>) -> Server {
    let keys = Arc::clone(keys);
    Server::start(move |received| match (received.path.as_str(), keys.lock().unwrap().clone()) {
        (KEYS, Some(keys)) => json_reply(200, keys),
        (KEYS, None) => reply(502, &[], "<html>"),
        _ => json_reply(404, ""),
    })
    .await
}

fn keys_of(signers: &[(&str, &Signer)]) -> Arc<Mutex<Option<String>>> {
    let keys: Vec<Value> = signers.iter().map(|(kid, signer)| signer.jwk(kid)).collect();
    Arc::new(Mutex::new(Some(key_set(&keys))))
}

fn fetches(server: &Server) -> usize {
    server.paths().iter().filter(|path| *path == KEYS).count()
}

async fn identify(sso: &Sso, token: &str) -> Result<Identity, IdentityError> {
    sso.identify(&SecretString::from(token), now()).await
}

fn ask_always() -> TimeLimits {
    TimeLimits { metadata_pause: Duration::ZERO, ..TimeLimits::default() }
}

#[tokio::test]
async fn both_algorithms_are_verified_and_the_keys_fetched_once() {
    let (rsa, ec) = (Signer::rsa(), Signer::ec());
    let server = publishing(&keys_of(&[(KID, &rsa), ("ec", &ec)])).await;
    let sso = server.sso();
    for (kid, signer) in [(KID, &rsa), ("ec", &ec), (KID, &rsa)] {
        let identity = identify(&sso, &signer.token(kid, &claims())).await.unwrap();
        assert_eq!(identity.character_id.get(), 90_000_001);
        assert_eq!(identity.character_name.as_deref(), Some("Some Bloke"));
        assert_eq!(identity.owner_hash.as_deref(), Some("8PmzCeTKb4VFUDrHLc/AeZXDSWM="));
        assert_eq!(identity.scopes, ["esi-killmails.read_killmails.v1", "publicData"]);
        assert_eq!(identity.signature, SignatureCheck::Verified, "{}", signer.algorithm());
    }
    assert_eq!(fetches(&server), 1);
}

#[tokio::test]
async fn forgeries_are_named() {
    let (signer, stranger) = (Signer::rsa(), Signer::ec());
    let server = publishing(&keys_of(&[(KID, &signer), ("ec", &Signer::ec())])).await;
    let sso = server.sso();
    let header = |algorithm: &str| json!({ "alg": algorithm, "kid": KID, "typ": "JWT" });
    let good = signer.token(KID, &claims());
    let (head, rest) = good.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let mut others = claims();
    others["sub"] = json!("CHARACTER:EVE:90000002");
    let swapped = format!("{head}.{}.{signature}", encoded(others.to_string().as_bytes()));
    let found = |algorithm: &str| IdentityError::Algorithm { found: algorithm.to_owned() };
    let cases = [
        (swapped, IdentityError::Signature),
        (stranger.token("ec", &claims()), IdentityError::Signature),
        (format!("{head}.{}.", rest.split_once('.').unwrap().0), IdentityError::Signature),
        (format!("{good}!"), IdentityError::Signature),
        (signer.token_with_header(&header("HS256"), &claims()), found("HS256")),
        (signer.token_with_header(&header("RS512"), &claims()), found("RS512")),
        (signer.token_with_header(&header("none"), &claims()), IdentityError::Malformed),
        // The key of that name is for another algorithm.
        (signer.token_with_header(&header("ES256"), &claims()), IdentityError::UnknownKey),
        (signer.token("unknown", &claims()), IdentityError::UnknownKey),
        (signer.token_with_header(&json!({ "alg": "RS256" }), &claims()), IdentityError::UnknownKey),
        (signer.token(KID, &json!({ "sub": "CHARACTER:EVE:1" })), IdentityError::Malformed),
        (signer.token(KID, &json!("text")), IdentityError::Malformed),
        ("not a token".to_owned(), IdentityError::Malformed),
        ("a.b.c".to_owned(), IdentityError::Malformed),
        (String::new(), IdentityError::Malformed),
    ];
    for (token, expected) in cases {
        let error = identify(&sso, &token).await.unwrap_err();
        assert_eq!(error, expected, "{token}");
        assert!(token.is_empty() || !format!("{error} {error:?}").contains(&token));
    }
}

#[tokio::test]
async fn claims_are_checked_against_the_time_that_was_passed_in() {
    let signer = Signer::rsa();
    let server = publishing(&keys_of(&[(KID, &signer)])).await;
    let sso = server.sso();
    let mut changed = claims();
    changed["scp"] = json!("esi-killmails.read_killmails.v1");
    changed["iss"] = json!("https://login.eveonline.com/");
    let token = SecretString::from(signer.token(KID, &changed));
    let at = |seconds| DateTime::from_timestamp(EXP + seconds, 0).unwrap();
    let identity = sso.identify(&token, at(59)).await.unwrap();
    assert_eq!(identity.scopes, ["esi-killmails.read_killmails.v1"]);
    assert_eq!(sso.identify(&token, at(61)).await, Err(IdentityError::Expired));

    let wrong = |member: &str, value: Value| {
        let mut claims = claims();
        claims[member] = value;
        signer.token(KID, &claims)
    };
    let cases = [
        (wrong("iss", json!("logineveonline.com")), IdentityError::Issuer { found: "logineveonline.com".to_owned() }),
        (wrong("aud", json!(["EVE Online"])), IdentityError::Audience),
        (wrong("aud", json!("client")), IdentityError::Audience),
        (wrong("sub", json!("CORPORATION:EVE:5")), IdentityError::Subject),
        (wrong("exp", json!("soon")), IdentityError::Malformed),
    ];
    for (token, expected) in cases {
        assert_eq!(identify(&sso, &token).await, Err(expected));
    }
}

#[tokio::test]
async fn an_outage_of_the_key_set_fails_nobody() {
    let signer = Signer::rsa();
    let keys = Arc::new(Mutex::new(None));
    let server = publishing(&keys).await;
    let sso = server.sso();
    for _ in 0..3 {
        let identity = identify(&sso, &signer.token(KID, &claims())).await.unwrap();
        assert!(matches!(identity.signature, SignatureCheck::NotChecked { .. }));
    }
    assert_eq!(fetches(&server), 1, "at most once a minute");
    // The claims are checked all the same.
    let mut others = claims();
    others["aud"] = json!(["another", "EVE Online"]);
    assert_eq!(identify(&sso, &signer.token(KID, &others)).await, Err(IdentityError::Audience));
    // A document that holds no key is an outage too, as is nonsense.
    for nonsense in ["<html>", r#"{"keys":[]}"#] {
        *keys.lock().unwrap() = Some(nonsense.to_owned());
        let identity = identify(&server.sso(), &signer.token(KID, &claims())).await.unwrap();
        assert!(matches!(identity.signature, SignatureCheck::NotChecked { .. }));
    }
}

#[tokio::test]
async fn known_keys_outlive_an_outage_and_new_ones_are_fetched() {
    let (old, new) = (Signer::rsa(), Signer::ec());
    let keys = keys_of(&[("old", &old)]);
    let server = publishing(&keys).await;
    let sso = server.sso_with(ask_always());
    let signature = async |kid: &str, signer: &Signer| {
        identify(&sso, &signer.token(kid, &claims())).await.map(|identity| identity.signature)
    };
    assert_eq!(signature("old", &old).await, Ok(SignatureCheck::Verified));
    *keys.lock().unwrap() = None;
    assert!(matches!(signature("new", &new).await, Ok(SignatureCheck::NotChecked { .. })));
    assert_eq!(signature("old", &old).await, Ok(SignatureCheck::Verified));
    *keys.lock().unwrap() = Some(key_set(&[new.jwk("new")]));
    assert_eq!(signature("new", &new).await, Ok(SignatureCheck::Verified));
    assert_eq!(signature("old", &old).await, Err(IdentityError::UnknownKey));
}

#[tokio::test]
async fn a_key_that_is_replaced_under_the_same_name_is_fetched_again() {
    let (old, new) = (Signer::ec(), Signer::ec());
    let keys = keys_of(&[(KID, &old)]);
    let server = publishing(&keys).await;
    let sso = server.sso_with(ask_always());
    let signature =
        async |signer: &Signer| identify(&sso, &signer.token(KID, &claims())).await.map(|identity| identity.signature);
    assert_eq!(signature(&old).await, Ok(SignatureCheck::Verified));
    *keys.lock().unwrap() = Some(key_set(&[new.jwk(KID)]));
    assert_eq!(signature(&new).await, Ok(SignatureCheck::Verified));
    assert_eq!(fetches(&server), 2);
    assert_eq!(signature(&new).await, Ok(SignatureCheck::Verified));
    assert_eq!(fetches(&server), 2, "a signature that fits asks for nothing");
    assert_eq!(signature(&old).await, Err(IdentityError::Signature));
    // It stays wrong when the key set is not to be had, or has no key of that name any more.
    for published in [None, Some(key_set(&[new.jwk("another")]))] {
        *keys.lock().unwrap() = published;
        assert_eq!(signature(&old).await, Err(IdentityError::Signature));
    }
}

#[tokio::test]
async fn a_wrong_signature_does_not_make_us_ask_more_than_once_a_minute() {
    assert_eq!(TimeLimits::default().metadata_pause, Duration::from_secs(60));
    let (known, stranger) = (Signer::ec(), Signer::ec());
    let server = publishing(&keys_of(&[(KID, &known)])).await;
    let forged = stranger.token(KID, &claims());
    let within_the_minute = server.sso();
    for _ in 0..3 {
        assert_eq!(identify(&within_the_minute, &forged).await, Err(IdentityError::Signature));
    }
    assert_eq!(fetches(&server), 1);
    let minutes_apart = server.sso_with(ask_always());
    // The first one finds no key at all: they are fetched before it can be wrong, and once more because it is.
    for fetched in [3, 4, 5] {
        assert_eq!(identify(&minutes_apart, &forged).await, Err(IdentityError::Signature));
        assert_eq!(fetches(&server), fetched);
    }
}

#[tokio::test]
async fn a_key_set_that_hangs_delays_by_the_limit_for_it_and_fails_nobody() {
    let signer = Signer::ec();
    let server = Server::start(|received| match received.path.as_str() {
        KEYS => Reply::Never,
        _ => json_reply(404, ""),
    })
    .await;
    // Only the limit for the key set is short.
    let limits = TimeLimits { metadata: Duration::from_millis(200), ..TimeLimits::default() };
    let (sso, token) = (Arc::new(server.sso_with(limits)), signer.token(KID, &claims()));
    let started = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..4 {
        let (sso, token) = (Arc::clone(&sso), token.clone());
        running.spawn(async move { identify(&sso, &token).await });
    }
    for identity in running.join_all().await {
        assert!(matches!(identity.unwrap().signature, SignatureCheck::NotChecked { .. }));
    }
    assert!(started.elapsed() < limits.exchange / 2, "{:?}", started.elapsed());
    assert_eq!(fetches(&server), 1, "one waits for it, and nobody after that");
}

#[tokio::test]
async fn many_at_once_fetch_the_keys_once() {
    let signer = Signer::rsa();
    let server = publishing(&keys_of(&[(KID, &signer)])).await;
    let sso = Arc::new(server.sso());
    let token = signer.token(KID, &claims());
    let mut running = JoinSet::new();
    for _ in 0..8 {
        let (sso, token) = (Arc::clone(&sso), token.clone());
        running.spawn(async move { identify(&sso, &token).await.map(|identity| identity.signature) });
    }
    assert_eq!(running.join_all().await, vec![Ok(SignatureCheck::Verified); 8]);
    // Unknown keys do not make us ask again before a minute has passed.
    for kid in ["a", "b", "c"] {
        assert_eq!(identify(&sso, &signer.token(kid, &claims())).await, Err(IdentityError::UnknownKey));
    }
    assert_eq!(fetches(&server), 1);
}
