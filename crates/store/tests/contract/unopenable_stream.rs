//! A stream whose token does not open with our keys: nothing is claimed, and a new login helps.

use domain::TokenStreamId;
use secrecy::SecretString;
use serde_json::json;
use store::Keyring;
use store::login::LoginStart;
use store::refresh_job::RefreshStart;
use store::seal::SealError;

use crate::harness::arrange::{SSO_CONCURRENCY, character, secret};
use crate::harness::{Database, contract};

contract![nothing_is_claimed, why_is_remembered_until_a_grant, its_character_can_sign_in_again];

const PILOT: i64 = 90_000_001;
const OTHER: &str = "other:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// The database as a process sees it that was given another key.
fn with_another_key(database: &Database) -> Database {
    let mut database = database.clone();
    database.keyring = Keyring::parse(&SecretString::from(OTHER)).unwrap();
    database
}

async fn unopenable(database: &Database, token_stream_id: TokenStreamId) -> SealError {
    match database.store.claim_refresh(&database.keyring, token_stream_id, None, SSO_CONCURRENCY).await.unwrap() {
        RefreshStart::Unopenable(why) => why,
        other => panic!("it opens: {other:?}"),
    }
}

async fn nothing_is_claimed(database: Database) {
    let token_stream_id = database.login(PILOT, "first-token").await;
    let before = database.contents().await;
    let why = unopenable(&with_another_key(&database), token_stream_id).await;
    assert_eq!(why, SealError::UnknownKey { id: "contract".to_owned() });
    assert_eq!(database.contents().await, before, "neither the stream nor a slot is held");
    // Bytes that nobody has sealed.
    database.run("update token_stream set refresh_token_sealed = 'x'::bytea").await;
    assert_eq!(unopenable(&database, token_stream_id).await, SealError::UnknownFormat);
}

async fn why_is_remembered_until_a_grant(database: Database) {
    let token_stream_id = database.login(PILOT, "first-token").await;
    let untouched = database.login(PILOT, "second-token").await;
    let why = unopenable(&with_another_key(&database), token_stream_id).await;
    database.store.record_unopenable(token_stream_id, &why).await.unwrap();
    let look = "select last_error_code, last_error, last_error_at is not null as has_failed, state, strikes
                from token_stream order by token_stream_id";
    let good = json!({ "last_error_code": null, "last_error": null, "has_failed": false, "state": "active",
                       "strikes": 0 });
    let mut bad = good.clone();
    bad["last_error_code"] = json!("unopenable");
    bad["last_error"] = json!(why.to_string());
    bad["has_failed"] = json!(true);
    assert_eq!(database.rows(look).await, [bad, good.clone()]);
    // The right key is back.
    assert!(database.grant(&database.refresh(token_stream_id).await, "access", 1199).await.is_some());
    assert_eq!(database.rows(look).await, [good.clone(), good]);
    assert!(!database.refresh(untouched).await.lost_answer);
}

async fn its_character_can_sign_in_again(database: Database) {
    let old = database.login(PILOT, "first-token").await;
    let before = database.row("select * from token_stream").await;
    let other = with_another_key(&database);
    // Even with the same token: what does not open cannot be compared.
    let token = secret("first-token");
    let start = other.store.begin_login(&other.keyring, character(PILOT), "Pilot", &token).await.unwrap();
    let LoginStart::Added(new) = start else { panic!("{start:?}") };
    assert_ne!(new, old);
    assert!(other.grant(&other.refresh(new).await, "access", 1199).await.is_some());
    other.assert_access_token(new, Some("access")).await;
    let look = format!("select * from token_stream where token_stream_id = {old}");
    assert_eq!(database.row(look).await, before, "it is kept until somebody finds its key");
}
