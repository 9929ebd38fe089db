//! Logins: each adds a stream and never touches another.

use domain::token::Health;
use serde_json::json;
use store::login::LoginStart;

use crate::harness::arrange::{character, secret};
use crate::harness::{Database, contract};

contract![
    a_login_adds_a_character_with_a_stream_that_can_be_refreshed,
    a_second_login_adds_another_stream_and_leaves_the_first_as_it_was,
    the_same_token_twice_is_stored_once,
    a_completed_login_makes_its_character_due_under_its_present_name,
];

const PILOT: i64 = 90_000_001;

async fn begin(database: &Database, token: &str) -> LoginStart {
    let token = secret(token);
    database.store.begin_login(&database.keyring, character(PILOT), "Pilot 90000001", &token).await.unwrap()
}

async fn a_login_adds_a_character_with_a_stream_that_can_be_refreshed(database: Database) {
    let token_stream_id = database.login(PILOT, "first-token").await;
    let now = database.store.streams_of(character(PILOT)).await.unwrap();
    assert_eq!(now.streams.len(), 1);
    let stream = &now.streams[0];
    assert_eq!(stream.token_stream_id, token_stream_id);
    assert_eq!(stream.health, Health::fresh());
    assert_eq!((stream.has_access_token, stream.has_refresh_token, stream.expires_at), (false, true, None));
    let character = database.row("select character_name, next_sync_at <= now() as due from character").await;
    assert_eq!(character, json!({ "character_name": "Pilot 90000001", "due": true }));
    let claim = database.refresh(token_stream_id).await;
    assert_eq!(secrecy::ExposeSecret::expose_secret(&claim.refresh_token), "first-token");
}

async fn a_second_login_adds_another_stream_and_leaves_the_first_as_it_was(database: Database) {
    let first = database.login(PILOT, "first-token").await;
    let claim = database.refresh(first).await;
    assert!(database.grant(&claim, "access", 1199).await.is_some());
    let look = format!("select * from token_stream where token_stream_id = {first}");
    let before = (database.row(look.as_str()).await, database.row("select * from character").await);
    let second = database.login(PILOT, "second-token").await;
    assert_ne!(first, second);
    assert_eq!((database.row(look).await, database.row("select * from character").await), before);
    assert_eq!(database.store.streams_of(character(PILOT)).await.unwrap().streams.len(), 2);
}

async fn the_same_token_twice_is_stored_once(database: Database) {
    let first = database.login(PILOT, "first-token").await;
    database.login(PILOT, "second-token").await;
    let before = database.contents().await;
    assert_eq!(begin(&database, "first-token").await, LoginStart::AlreadyStored(first));
    assert_eq!(database.contents().await, before);
}

async fn a_completed_login_makes_its_character_due_under_its_present_name(database: Database) {
    let pilot = database.character(PILOT).await;
    database.run("update character set next_sync_at = now() + interval '3 days'").await;
    database.login(PILOT, "first-token").await;
    assert!(!database.holds("select next_sync_at <= now() from character").await);
    database.store.complete_login(pilot, "Renamed").await.unwrap();
    let after = database.row("select character_name, next_sync_at <= now() as due from character").await;
    assert_eq!(after, json!({ "character_name": "Renamed", "due": true }));
}
