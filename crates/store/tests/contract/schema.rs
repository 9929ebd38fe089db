//! Migrating, and refusing a database at another version with a text that names the migration.

use secrecy::SecretString;
use store::schema::SchemaMismatch;
use store::{Store, StoreError};

use crate::harness::{Database, contract};

contract![
    a_database_of_a_newer_build_is_refused,
    an_interrupted_or_altered_migration_is_named,
    an_unreadable_url_is_refused_without_being_shown,
];
contract![
    without_schema:
    an_empty_database_is_migrated_once,
    migrations_at_once_all_succeed_and_each_tells_what_it_did,
    a_database_without_a_schema_is_refused,
    a_database_that_lacks_a_migration_is_refused_until_it_has_it,
];

async fn refusal(database: &Database) -> String {
    match Store::connect(&database.url, "killfleet-contract", 1).await {
        Err(StoreError::Schema(mismatch)) => mismatch.to_string(),
        Err(other) => panic!("another error: {}", other.failure()),
        Ok(_) => panic!("the database was taken"),
    }
}

async fn an_empty_database_is_migrated_once(database: Database) {
    let applied = database.store.migrate().await.unwrap();
    assert!(applied >= 2);
    let recorded = database.number("select count(*) from _sqlx_migrations where success").await;
    assert!((recorded - applied as f64).abs() < 0.5, "{applied} applied, {recorded} recorded");
    let before = database.contents().await;
    assert_eq!(database.store.migrate().await.unwrap(), 0);
    assert_eq!(database.contents().await, before);
    Store::connect(&database.url, "killfleet-contract", 1).await.unwrap().close().await;
}

async fn migrations_at_once_all_succeed_and_each_tells_what_it_did(database: Database) {
    // Each on a connection of its own, as processes are.
    let connect = || Store::connect_unchecked(&database.url, "killfleet-contract", 1);
    let (one, two, three) = (connect().await.unwrap(), connect().await.unwrap(), connect().await.unwrap());
    let applied = tokio::join!(one.migrate(), two.migrate(), three.migrate());
    let mut applied = [applied.0, applied.1, applied.2].map(|applied| match applied {
        Ok(applied) => applied,
        Err(error) => panic!("{}", error.failure()),
    });
    applied.sort_unstable();
    let recorded = database.number("select count(*) from _sqlx_migrations where success").await;
    assert_eq!(applied[..2], [0; 2], "one of them does all of it: {applied:?}");
    assert!((recorded - applied[2] as f64).abs() < 0.5, "{applied:?}, {recorded} recorded");
    Store::connect(&database.url, "killfleet-contract", 1).await.unwrap().close().await;
}

async fn a_database_without_a_schema_is_refused(database: Database) {
    assert_eq!(refusal(&database).await, "the database lacks migration 1 (fleet): run `killfleet migrate`");
    // Looking at the version has left nothing behind.
    assert!(database.tables().await.is_empty());
}

async fn a_database_that_lacks_a_migration_is_refused_until_it_has_it(database: Database) {
    database.store.migrate().await.unwrap();
    // As an older build has left it: without a migration that is one index.
    database.run("drop index token_event_frequent_by_time").await;
    database.run("delete from _sqlx_migrations where description = 'token event retention'").await;
    let text = refusal(&database).await;
    assert!(text.starts_with("the database lacks migration "), "{text}");
    assert!(text.ends_with(" (token event retention): run `killfleet migrate`"), "{text}");
    assert_eq!(database.store.migrate().await.unwrap(), 1);
    Store::connect(&database.url, "killfleet-contract", 1).await.unwrap().close().await;
}

async fn a_database_of_a_newer_build_is_refused(database: Database) {
    database
        .run(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (9999, 'future', true, '\\x00'::bytea, 0)",
        )
        .await;
    let text = refusal(&database).await;
    assert!(text.starts_with("the database has migration 9999, which this build does not know"), "{text}");
    let before = database.contents().await;
    let error = database.store.migrate().await.expect_err("a newer schema is not ours to touch");
    let named = matches!(error, StoreError::Schema(SchemaMismatch::Newer { version: 9999 }));
    assert!(named, "{}", error.failure());
    assert_eq!(database.contents().await, before);
}

async fn an_interrupted_or_altered_migration_is_named(database: Database) {
    database.run("update _sqlx_migrations set checksum = '\\x00'::bytea where version = 1").await;
    let text = refusal(&database).await;
    assert!(text.starts_with("migration 1 (fleet) was applied with another text"), "{text}");
    database.run("update _sqlx_migrations set success = false where version = 2").await;
    let text = refusal(&database).await;
    assert!(text.starts_with("migration 2 was interrupted"), "{text}");
}

async fn an_unreadable_url_is_refused_without_being_shown(_: Database) {
    let url = SecretString::from("postgres//fleet:top-secret@127.0.0.1/fleet");
    let error = Store::connect(&url, "killfleet-contract", 1).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidUrl), "{}", error.failure());
    let shown = format!("{error} {error:?} {}", error.failure());
    assert!(!shown.contains("top-secret"), "{shown}");
    assert_eq!(error.class(), domain::FailureClass::Configuration);
}
