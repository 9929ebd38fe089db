//! A disk that fails for a moment costs no token: SQLite then rolls back by itself, and the store goes on afterwards.
//! What is damaged for good is not held against a killmail.

use domain::FailureClass;
use secrecy::ExposeSecret;

use crate::harness::arrange::{new_killmail, references, secret, small_body};
use crate::harness::{Database, contract};

contract![
    sqlite:
    a_new_refresh_token_is_saved_once_the_disk_is_well_again,
    a_damaged_file_is_a_matter_of_settings_and_not_of_a_killmail,
];

async fn a_new_refresh_token_is_saved_once_the_disk_is_well_again(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let mut claim = database.refresh(token_stream_id).await;
    let before = database.contents().await;
    // To the store it is the same: the transaction is gone before it can roll it back.
    database
        .run("create trigger trouble before update on token_stream begin select raise(rollback, 'full'); end")
        .await;
    for _ in 0..3 {
        let error = database.store.save_rotated(&database.keyring, &mut claim, &secret("second-token")).await;
        assert!(error.unwrap_err().failure().reason.contains("full"), "each time it is tried in earnest");
    }
    assert_eq!(database.contents().await, before);
    database.run("drop trigger trouble").await;
    assert!(database.store.save_rotated(&database.keyring, &mut claim, &secret("second-token")).await.unwrap());
    assert!(database.grant(&claim, "access", 1199).await.is_some());
    assert_eq!(database.refresh(token_stream_id).await.refresh_token.expose_secret(), "second-token");
}

async fn a_damaged_file_is_a_matter_of_settings_and_not_of_a_killmail(database: Database) {
    database.wanted(&references([1])).await;
    let claim = database.detail(1).await;
    // The table now begins at a page that is no page of a table.
    let damage = "pragma writable_schema = on;
                  update sqlite_schema set rootpage = (select rootpage from sqlite_schema where name = 'killmail_by_time')
                  where name = 'killmail';
                  pragma schema_version = 1000";
    database.run(damage).await;
    let error = database.store.store_body(&claim, new_killmail(&small_body(1))).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Configuration, "{}", error.failure());
}
