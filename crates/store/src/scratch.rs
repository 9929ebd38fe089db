//! A database of one's own, on somebody's server or in a file: for tests and demonstrations. Never touches another
//! database.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::{Store, StoreError, sqlite};

/// What every scratch database's name on a server begins with; nothing else is ever dropped there.
pub const NAME_PREFIX: &str = "killfleet_scratch_";
/// What the name of every scratch file's folder begins with; nothing else is ever removed.
pub const FOLDER_PREFIX: &str = "killfleet-scratch-";

const FILE_NAME: &str = "killfleet.db";
const CREATING: &str = "creating a scratch database";
const DROPPING: &str = "dropping a scratch database";

/// Creates an empty database with a random name; `server` is the URL of a role that may. Returns the new one's URL.
///
/// # Errors
/// When the server does not answer or does not allow it.
pub async fn create(server: &SecretString) -> Result<SecretString, StoreError> {
    let options = options(server)?;
    let mut connection = options.connect().await.map_err(StoreError::during(CREATING))?;
    let name: String = sqlx::query_scalar("select $1 || replace(gen_random_uuid()::text, '-', '')")
        .bind(NAME_PREFIX)
        .fetch_one(&mut connection)
        .await
        .map_err(StoreError::during(CREATING))?;
    // template0, because nobody can be connected to it: several tests create their databases at once.
    run(&mut connection, &format!(r#"create database "{name}" template template0"#), CREATING).await?;
    connection.close().await.map_err(StoreError::during(CREATING))?;
    Ok(SecretString::from(options.database(&name).to_url_lossy().to_string()))
}

/// As [`create`], with the schema of this build.
///
/// # Errors
/// As [`create`], and when a migration fails.
pub async fn create_migrated(server: &SecretString) -> Result<SecretString, StoreError> {
    migrated(create(server).await?).await
}

/// Creates an empty database file in a new folder below the system's folder for temporary files, for this user only.
/// Returns its URL.
///
/// # Errors
/// [`StoreError::File`] when the folder or the file cannot be created.
pub fn create_file() -> Result<SecretString, StoreError> {
    let folder = std::env::temp_dir().join(format!("{FOLDER_PREFIX}{}", Uuid::now_v7().simple()));
    let path = folder.join(FILE_NAME);
    // Not recursive: a folder that somebody else has put there is refused.
    let created = DirBuilder::new().mode(0o700).create(&folder);
    created.map_err(|source| StoreError::File { path: path.clone(), source })?;
    sqlite::create(&path)?;
    let path = path.to_str().ok_or(StoreError::InvalidUrl)?;
    Ok(SecretString::from(format!("sqlite:{path}")))
}

/// As [`create_file`], with the schema of this build.
///
/// # Errors
/// As [`create_file`], and when a migration fails.
pub async fn create_file_migrated() -> Result<SecretString, StoreError> {
    migrated(create_file()?).await
}

/// Whatever cannot be made whole goes away again.
async fn migrated(url: SecretString) -> Result<SecretString, StoreError> {
    let migrated = async {
        let store = Store::connect_unchecked(&url, "killfleet-scratch", 1).await?;
        let migrated = store.migrate().await;
        store.close().await;
        migrated
    };
    if let Err(error) = migrated.await {
        // What stands in the way of that would only hide why.
        let _ = drop(&url).await;
        return Err(error);
    }
    Ok(url)
}

/// Drops a scratch database, also when somebody is connected to it; of a file, its whole folder.
///
/// # Errors
/// [`StoreError::UnexpectedRow`] when the name is not that of a scratch database; when the server does not answer, or
/// the folder cannot be removed.
pub async fn drop(url: &SecretString) -> Result<(), StoreError> {
    if let Some(path) = sqlite::path_in(url.expose_secret()) {
        return remove_folder_of(path);
    }
    let options = options(url)?;
    let name = options.get_database().unwrap_or_default().to_owned();
    if !is_ours(&name, NAME_PREFIX) {
        return Err(not_ours(&name));
    }
    let server = options.database("postgres");
    let mut connection = server.connect().await.map_err(StoreError::during(DROPPING))?;
    run(&mut connection, &format!(r#"drop database if exists "{name}" with (force)"#), DROPPING).await?;
    connection.close().await.map_err(StoreError::during(DROPPING))
}

fn remove_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| folder.parent() == Some(&std::env::temp_dir()));
    let name = folder.and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    match folder {
        Some(folder) if is_ours(name, FOLDER_PREFIX) => match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::during(DROPPING)(error.into())),
            _ => Ok(()),
        },
        _ => Err(not_ours(&path.to_string_lossy())),
    }
}

fn is_ours(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn not_ours(name: &str) -> StoreError {
    StoreError::unexpected(format!("the name {name:?}, not that of a scratch database"))
}

fn options(url: &SecretString) -> Result<PgConnectOptions, StoreError> {
    PgConnectOptions::from_str(url.expose_secret()).map_err(|_| StoreError::InvalidUrl)
}

/// The names in these statements are our own: the prefix and hexadecimal digits.
async fn run(connection: &mut PgConnection, statement: &str, doing: &'static str) -> Result<(), StoreError> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(StoreError::during(doing))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn what_cannot_be_migrated_is_not_left_behind() {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let url = create_file().unwrap();
            let path = sqlite::path_in(url.expose_secret()).unwrap();
            fs::write(path, "no database, as when the disk was full".repeat(100)).unwrap();
            assert!(migrated(url.clone()).await.is_err());
            assert!(!path.parent().unwrap().exists());
        });
    }
}
