//! Settings that lead to no database are told from a database that is away.

use std::str::FromStr;

use domain::FailureClass;
use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use store::{Store, StoreError};

use crate::harness::{Database, contract};

contract![
    // A file has neither a user nor a name; what it has is in `sqlite_file`.
    postgres:
    a_wrong_name_or_user_is_a_matter_of_settings,
];

/// The class of what happens on connecting with the database's own settings, but for one.
async fn class(database: &Database, change: impl FnOnce(PgConnectOptions) -> PgConnectOptions) -> FailureClass {
    let options = change(PgConnectOptions::from_str(database.url.expose_secret()).unwrap());
    let url = SecretString::from(options.to_url_lossy().to_string());
    let error = Store::connect(&url, "killfleet-contract", 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }), "{}", error.failure());
    error.class()
}

async fn a_wrong_name_or_user_is_a_matter_of_settings(database: Database) {
    let nowhere = class(&database, |options| options.database("killfleet_scratch_not_there")).await;
    assert_eq!(nowhere, FailureClass::Configuration);
    let nobody = class(&database, |options| options.username("killfleet_nobody").password("wrong")).await;
    assert_eq!(nobody, FailureClass::Configuration);
}
