//! Logins that another program has kept so far: added beside the others, and never used twice.

use std::time::Duration;

use chrono::TimeDelta;
use domain::token::LIST_SCOPE;
use serde_json::json;
use store::login::{Imported, KeptLogin};
use store::refresh_job::Granted;

use crate::harness::arrange::{character, secret};
use crate::harness::{Database, contract};

contract![
    it_is_added_with_what_there_is_of_it,
    the_same_token_again_changes_nothing,
    a_character_that_is_served_is_left_as_it_was,
    a_token_that_the_provider_may_have_replaced_is_not_used_again,
    a_trial_writes_nothing,
    it_is_new_to_the_breaker_until_it_is_granted_to_us,
    an_access_token_without_the_scope_is_not_used,
];

const PILOT: i64 = 90_000_001;

async fn import(database: &Database, token: &str, access_token: Option<&str>, is_trial: bool) -> Imported {
    import_with_scope(database, token, access_token, is_trial, LIST_SCOPE).await
}

async fn import_with_scope(
    database: &Database,
    token: &str,
    access_token: Option<&str>,
    is_trial: bool,
    scope: &str,
) -> Imported {
    let (refresh_token, access_token) = (secret(token), access_token.map(secret));
    let expires_at = database.store.now().await.unwrap() + TimeDelta::minutes(10);
    let scopes = [scope.to_owned()];
    let granted = access_token.as_ref().map(|access_token| Granted {
        access_token,
        expires_at,
        owner_hash: Some("owner"),
        scopes: &scopes,
    });
    let login = KeptLogin {
        character_id: character(PILOT),
        character_name: "Imported",
        refresh_token: &refresh_token,
        granted,
    };
    database.store.import_login(&database.keyring, &login, Duration::from_secs(600), is_trial).await.unwrap()
}

async fn it_is_added_with_what_there_is_of_it(database: Database) {
    let Imported::Added(bare) = import(&database, "r+/==", None, false).await else { panic!("it is new") };
    let claim = database.refresh(bare).await;
    assert_eq!(secrecy::ExposeSecret::expose_secret(&claim.refresh_token), "r+/==");
    assert_eq!(claim.owner_hash, None);
    database.assert_access_token(bare, None).await;
    let row = "select character_name, next_sync_at > now() + interval '590 seconds' as is_spread from character";
    assert_eq!(database.row(row).await, json!({ "character_name": "Imported", "is_spread": true }));

    let Imported::Added(whole) = import(&database, "other", Some("access"), false).await else { panic!("it is new") };
    database.assert_access_token(whole, Some("access")).await;
    assert_eq!(database.refresh(whole).await.owner_hash.as_deref(), Some("owner"));
}

async fn the_same_token_again_changes_nothing(database: Database) {
    let Imported::Added(first) = import(&database, "first", Some("access"), false).await else { panic!("it is new") };
    database.run("update token_stream set state = 'suspect', strikes = 1").await;
    let before = database.contents().await;
    assert_eq!(import(&database, "first", Some("another"), false).await, Imported::AlreadyStored(first));
    assert_eq!(database.contents().await, before);
}

async fn a_character_that_is_served_is_left_as_it_was(database: Database) {
    let first = database.login(PILOT, "first").await;
    database.run("update character set next_sync_at = now() + interval '3 days'").await;
    let look = format!("select * from token_stream where token_stream_id = {first}");
    let before = (database.row("select * from character").await, database.row(look.as_str()).await);
    assert!(matches!(import(&database, "second", None, false).await, Imported::Added(_)));
    assert_eq!((database.row("select * from character").await, database.row(look).await), before);

    // By a login that serves no more it is not served.
    database.run("update token_stream set state = 'dead'").await;
    assert!(matches!(import(&database, "third", None, false).await, Imported::Added(_)));
    assert!(database.holds("select next_sync_at < now() + interval '601 seconds' from character").await);
}

async fn a_token_that_the_provider_may_have_replaced_is_not_used_again(database: Database) {
    let Imported::Added(first) = import(&database, "first", None, false).await else { panic!("it is new") };
    let mut claim = database.refresh(first).await;
    assert!(database.store.save_rotated(&database.keyring, &mut claim, &secret("next")).await.unwrap());
    assert!(database.grant(&claim, "access", 1199).await.is_some());
    let before = database.contents().await;
    assert_eq!(import(&database, "first", None, false).await, Imported::MayBeReplaced(first));
    assert_eq!(database.contents().await, before);
    // Nor once that login is given up: a provider may end all others of who brings a used token.
    database.run("update token_stream set state = 'dead'").await;
    assert_eq!(import(&database, "first", None, false).await, Imported::MayBeReplaced(first));
}

async fn a_trial_writes_nothing(database: Database) {
    database.login(PILOT + 1, "of another").await;
    let before = database.contents().await;
    assert!(matches!(import(&database, "first", Some("access"), true).await, Imported::Added(_)));
    assert_eq!(database.contents().await, before);
}

async fn it_is_new_to_the_breaker_until_it_is_granted_to_us(database: Database) {
    let [granted] = database.granted_logins(1).await[..] else { panic!("one login") };
    for _ in 0..3 {
        let claim = database.refresh(granted).await;
        database.grant(&claim, "access", 1199).await;
    }
    let Imported::Added(imported) = import(&database, "first", Some("access"), false).await else {
        panic!("it is new")
    };
    let claim = database.refresh(imported).await;
    database.refused(&claim).await;
    let claim = database.refresh(imported).await;
    database.grant(&claim, "access", 1199).await;
    let claim = database.refresh(imported).await;
    database.refused(&claim).await;
    let events = database.events(imported).await;
    let changes: Vec<_> = events.iter().filter(|event| event.starts_with("state_changed")).collect();
    assert_eq!(
        changes,
        ["state_changed: new -> suspect", "state_changed: suspect -> active", "state_changed: active -> suspect"]
    );
}

async fn an_access_token_without_the_scope_is_not_used(database: Database) {
    for (token, scope, expected) in [("first", "publicData", true), ("second", LIST_SCOPE, false)] {
        let imported = import_with_scope(&database, token, Some("access"), false, scope).await;
        let Imported::Added(imported) = imported else { panic!("it is new") };
        let streams = database.store.streams_of(character(PILOT)).await.unwrap().streams;
        let stream = streams.iter().find(|stream| stream.token_stream_id == imported).unwrap();
        assert_eq!(stream.lacks_scope, expected, "{scope}");
    }
}
