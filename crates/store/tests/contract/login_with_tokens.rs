//! A login that comes with a verified access token: stored at once, and as good as new.

use chrono::TimeDelta;
use domain::token::LIST_SCOPE;
use serde_json::json;
use store::login::LoginStart;
use store::refresh_job::Granted;

use crate::harness::arrange::{character, secret};
use crate::harness::{Database, contract};

contract![
    it_can_be_used_without_a_refresh,
    another_login_is_left_as_it_was,
    a_refresh_token_that_is_given_again_makes_its_stream_as_good_as_new,
    what_was_active_has_not_changed_its_state,
    a_refresh_that_is_under_way_keeps_its_lease,
    a_refusal_that_comes_after_it_is_not_held_against_it,
];

const PILOT: i64 = 90_000_001;

async fn sign_in(database: &Database, refresh_token: &str, access_token: &str) -> LoginStart {
    let (refresh_token, access_token) = (secret(refresh_token), secret(access_token));
    let granted = Granted {
        access_token: &access_token,
        expires_at: database.store.now().await.unwrap() + TimeDelta::seconds(1199),
        owner_hash: Some("owner"),
        scopes: &[LIST_SCOPE.to_owned()],
    };
    let (keyring, pilot) = (&database.keyring, character(PILOT));
    database.store.store_login(keyring, pilot, "Present Name", &refresh_token, &granted).await.unwrap()
}

async fn it_can_be_used_without_a_refresh(database: Database) {
    database.character(PILOT).await;
    database.run("update character set next_sync_at = now() + interval '3 days'").await;
    let LoginStart::Added(added) = sign_in(&database, "refresh+/=", "access").await else { panic!("it is new") };
    database.assert_access_token(added, Some("access")).await;
    let now = database.store.streams_of(character(PILOT)).await.unwrap();
    let stream = &now.streams[0];
    assert!(stream.has_refresh_token && !stream.lacks_scope);
    assert!((1100..1200).contains(&(stream.expires_at.unwrap() - now.now).num_seconds()));
    let row = database
        .row("select owner_hash, state, last_refreshed_at <= now() as was_refreshed, lease_until from token_stream")
        .await;
    assert_eq!(row, json!({ "owner_hash": "owner", "state": "active", "was_refreshed": true, "lease_until": null }));
    let row = database.row("select character_name, next_sync_at <= now() as is_due from character").await;
    assert_eq!(row, json!({ "character_name": "Present Name", "is_due": true }));
    let claim = database.refresh(added).await;
    assert_eq!(secrecy::ExposeSecret::expose_secret(&claim.refresh_token), "refresh+/=");
    assert_eq!(claim.owner_hash.as_deref(), Some("owner"));
}

async fn another_login_is_left_as_it_was(database: Database) {
    let first = database.login(PILOT, "first").await;
    let claim = database.refresh(first).await;
    database.refused(&claim).await;
    let look = format!("select * from token_stream where token_stream_id = {first}");
    let before = database.row(look.as_str()).await;
    let LoginStart::Added(second) = sign_in(&database, "second", "access").await else { panic!("it is new") };
    assert_ne!(first, second);
    assert_eq!(database.row(look).await, before);
}

async fn a_refresh_token_that_is_given_again_makes_its_stream_as_good_as_new(database: Database) {
    let first = database.login(PILOT, "first").await;
    let claim = database.refresh(first).await;
    database.refused(&claim).await;
    // As if an answer had been lost, too.
    database.run("update token_stream set state = 'dead', lease_until = now() - interval '1 hour'").await;
    assert_eq!(sign_in(&database, "first", "access").await, LoginStart::AlreadyStored(first));
    database.assert_access_token(first, Some("access")).await;
    let row = database
        .row("select state, strikes, first_refused_at, next_probe_at, last_error_code, lease_until from token_stream")
        .await;
    assert_eq!(
        row,
        json!({ "state": "active", "strikes": 0, "first_refused_at": null, "next_probe_at": null,
            "last_error_code": null, "lease_until": null })
    );
    assert!(!database.refresh(first).await.lost_answer);
    let expected = ["refreshed", "state_changed: dead -> active"];
    assert_eq!(database.events(first).await[3..], expected);
}

async fn what_was_active_has_not_changed_its_state(database: Database) {
    let LoginStart::Added(stream) = sign_in(&database, "first", "access").await else { panic!("it is new") };
    assert_eq!(sign_in(&database, "first", "access").await, LoginStart::AlreadyStored(stream));
    assert_eq!(database.events(stream).await, ["signed_in", "refreshed", "refreshed"]);
}

async fn a_refresh_that_is_under_way_keeps_its_lease(database: Database) {
    let first = database.login(PILOT, "first").await;
    let mut claim = database.refresh(first).await;
    assert_eq!(sign_in(&database, "first", "of-the-login").await, LoginStart::AlreadyStored(first));
    assert!(database.holds("select lease_until > now() from token_stream").await);
    assert!(database.store.save_rotated(&database.keyring, &mut claim, &secret("rotated")).await.unwrap());
    assert!(database.grant(&claim, "of-the-refresh", 1199).await.is_some());
    database.assert_access_token(first, Some("of-the-refresh")).await;
}

async fn a_refusal_that_comes_after_it_is_not_held_against_it(database: Database) {
    let stream = database.login(PILOT, "the same").await;
    let claim = database.refresh(stream).await;
    assert_eq!(sign_in(&database, "the same", "access").await, LoginStart::AlreadyStored(stream));
    database.refused(&claim).await;
    let row = database.row("select state, strikes, last_error_code from token_stream").await;
    assert_eq!(row, json!({ "state": "active", "strikes": 0, "last_error_code": null }));
    database.assert_access_token(stream, Some("access")).await;
}
