//! A database of one's own on somebody's server: for tests and demonstrations. Never touches another database.

use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::{Store, StoreError};

/// What every scratch database's name begins with; nothing else is ever dropped.
pub const NAME_PREFIX: &str = "killfleet_scratch_";

fn options(url: &SecretString) -> Result<PgConnectOptions, StoreError> {
    PgConnectOptions::from_str(url.expose_secret()).map_err(|_| StoreError::InvalidUrl)
}

/// Creates an empty database with a random name; `server` is the URL of a role that may. Returns the new one's URL.
///
/// # Errors
/// When the server does not answer or does not allow it.
pub async fn create(server: &SecretString) -> Result<SecretString, StoreError> {
    let doing = "creating a scratch database";
    let options = options(server)?;
    let mut connection = options.connect().await.map_err(StoreError::during(doing))?;
    let name: String = sqlx::query_scalar("select $1 || replace(gen_random_uuid()::text, '-', '')")
        .bind(NAME_PREFIX)
        .fetch_one(&mut connection)
        .await
        .map_err(StoreError::during(doing))?;
    // template0, because nobody can be connected to it: several tests create their databases at once.
    run(&mut connection, &format!(r#"create database "{name}" template template0"#), doing).await?;
    connection.close().await.map_err(StoreError::during(doing))?;
    Ok(SecretString::from(options.database(&name).to_url_lossy().to_string()))
}

/// As [`create`], with the schema of this build.
///
/// # Errors
/// As [`create`], and when a migration fails.
pub async fn create_migrated(server: &SecretString) -> Result<SecretString, StoreError> {
    let url = create(server).await?;
    let store = Store::connect_unchecked(&url, "killfleet-scratch", 1).await?;
    store.migrate().await?;
    store.close().await;
    Ok(url)
}

/// Drops a scratch database, also when somebody is connected to it.
///
/// # Errors
/// [`StoreError::UnexpectedRow`] when the name is not that of a scratch database; when the server does not answer.
pub async fn drop(url: &SecretString) -> Result<(), StoreError> {
    let doing = "dropping a scratch database";
    let options = options(url)?;
    let name = options.get_database().unwrap_or_default().to_owned();
    let is_ours = name.strip_prefix(NAME_PREFIX).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !is_ours {
        return Err(StoreError::unexpected(format!("the name {name:?}, not that of a scratch database")));
    }
    let server = options.database("postgres");
    let mut connection = server.connect().await.map_err(StoreError::during(doing))?;
    run(&mut connection, &format!(r#"drop database if exists "{name}" with (force)"#), doing).await?;
    connection.close().await.map_err(StoreError::during(doing))
}

/// The names in these statements are our own: the prefix and hexadecimal digits.
async fn run(connection: &mut PgConnection, statement: &str, doing: &'static str) -> Result<(), StoreError> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(StoreError::during(doing))
}
