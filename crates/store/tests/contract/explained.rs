//! What the rows say of one character, and its removal.

use domain::token::LIST_SCOPE;
use serde_json::{Value, json};
use store::refresh_job::Granted;

use crate::harness::arrange::{character, listed, references, secret};
use crate::harness::{Database, contract};

contract![
    a_character_that_is_not_there_is_neither_explained_nor_removed,
    every_row_of_a_character_is_told_and_no_token,
    a_removed_character_is_gone_with_its_logins_and_its_list_and_its_killmails_stay,
    who_works_for_a_removed_character_writes_nothing,
];

const PILOT: i64 = 90_000_001;

async fn a_character_that_is_not_there_is_neither_explained_nor_removed(database: Database) {
    database.character(PILOT + 1).await;
    let before = database.contents().await;
    assert!(database.store.explain(character(PILOT)).await.unwrap().is_none());
    assert_eq!(database.store.remove_character(character(PILOT)).await.unwrap(), None);
    assert_eq!(database.contents().await, before);
}

/// A character with a stored and a wanted killmail, a good login and one that was refused.
async fn arrange(database: &Database) {
    let good = database.login(PILOT, "refresh-token-of-one").await;
    let claim = database.refresh(good).await;
    let access_token = secret("access-token-of-one");
    let granted = Granted {
        access_token: &access_token,
        expires_at: claim.claimed_at + chrono::TimeDelta::seconds(1199),
        owner_hash: None,
        scopes: &[LIST_SCOPE.to_owned(), "publicData".to_owned()],
    };
    assert!(database.store.finish_granted(&database.keyring, &claim, granted).await.unwrap().is_some());
    let refused = database.login(PILOT, "refresh-token-of-the-other").await;
    let claim = database.refresh(refused).await;
    database.refused(&claim).await;
    let mut claim = database.list(character(PILOT)).await;
    database.store.save_page(&mut claim, listed(&references([1, 2]), 1, 1), 0.5).await.unwrap().unwrap();
    database.stored(1).await;
}

async fn every_row_of_a_character_is_told_and_no_token(database: Database) {
    arrange(&database).await;
    let explained = database.store.explain(character(PILOT)).await.unwrap().unwrap();
    assert_eq!(explained.rules.len(), 2);
    let told = serde_json::to_value(&explained).unwrap();
    for (member, expected) in [
        ("character_id", json!(PILOT)),
        ("character_name", json!("Pilot 90000001")),
        ("resume_page", Value::Null),
        ("killmails_listed", json!(2)),
        ("killmails_stored", json!(1)),
        ("killmails_wanted", json!(1)),
        ("killmails_parked", json!(0)),
        ("newest_killmail_time", json!("2026-11-01T12:00:00Z")),
    ] {
        assert_eq!(told[member], expected, "{member}");
    }
    let (good, refused) = (&told["streams"][0], &told["streams"][1]);
    assert_eq!((&good["state"], &good["has_access_token"]), (&json!("active"), &json!(true)));
    assert_eq!(good["granted_scopes"], json!([LIST_SCOPE, "publicData"]));
    assert_eq!((&refused["state"], &refused["strikes"]), (&json!("suspect"), &json!(1)));
    assert_eq!((&refused["last_error_code"], &refused["has_access_token"]), (&json!("invalid_grant"), &json!(false)));
    assert!(refused["next_probe_at"].is_string(), "{refused}");
    assert_eq!(told["last_runs"].as_array().unwrap().len(), 1);
    assert_eq!(told["last_runs"][0]["references_new"], 2);
    let text = told.to_string();
    assert!(!text.contains("token-of") && !text.contains("sealed"), "{text}");
}

async fn a_removed_character_is_gone_with_its_logins_and_its_list_and_its_killmails_stay(database: Database) {
    arrange(&database).await;
    let other = database.login(PILOT + 1, "of-another").await;
    let killmails = "select killmail_id, state from killmail_ref order by killmail_id";
    let before = database.rows(killmails).await;
    let removed = database.store.remove_character(character(PILOT)).await.unwrap().unwrap();
    assert_eq!((removed.character_name.as_str(), removed.streams), ("Pilot 90000001", 2));
    for table in ["character", "token_stream", "character_killmail", "sync_run"] {
        let left = database.number(format!("select count(*) as n from {table} where character_id = {PILOT}")).await;
        assert_eq!(left, 0.0, "{table}");
    }
    assert_eq!(database.rows(killmails).await, before);
    assert_eq!(database.number("select count(*) as n from killmail").await, 1.0);
    assert_eq!(database.value("select token_stream_id from token_stream").await, json!(other.get()));
}

async fn who_works_for_a_removed_character_writes_nothing(database: Database) {
    let stream = database.login(PILOT, "first").await;
    let mut refresh = database.refresh(stream).await;
    let mut list = database.list(character(PILOT)).await;
    database.store.remove_character(character(PILOT)).await.unwrap().unwrap();
    assert!(!database.store.save_rotated(&database.keyring, &mut refresh, &secret("second")).await.unwrap());
    assert!(database.grant(&refresh, "access", 1199).await.is_none());
    assert!(database.store.save_page(&mut list, listed(&references([1]), 1, 1), 0.5).await.unwrap().is_none());
    for table in ["character", "token_stream", "character_killmail", "killmail_ref"] {
        assert_eq!(database.number(format!("select count(*) as n from {table}")).await, 0.0, "{table}");
    }
}
