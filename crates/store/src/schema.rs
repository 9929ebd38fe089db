//! The schema's version: the migrations are embedded, and a process refuses a database at another version.

use sqlx::migrate::{Migrate, Migrator};
use sqlx::postgres::{PgConnection, PgPool};
use thiserror::Error;

use crate::StoreError;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/postgres");

/// The database is not at the version that this build was made for.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SchemaMismatch {
    #[error("the database lacks migration {version} ({description}): run `killfleet migrate`")]
    Missing { version: i64, description: String },
    #[error(
        "migration {version} was interrupted: look at the table _sqlx_migrations, mend the schema, then run `killfleet migrate`"
    )]
    Interrupted { version: i64 },
    #[error(
        "the database has migration {version}, which this build does not know: use the build that applied it, or a newer one"
    )]
    Newer { version: i64 },
    #[error(
        "migration {version} ({description}) was applied with another text than this build's: use the build that applied it"
    )]
    Changed { version: i64, description: String },
}

pub(crate) async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await.map_err(StoreError::during(READING))?;
    Ok(compare(&MIGRATOR, &applied(&mut connection).await?)?)
}

const READING: &str = "reading the version of the schema";
const UNDEFINED_TABLE: &str = "42P01";

/// Version, success and checksum of each migration that was begun.
type Applied = (i64, bool, Vec<u8>);

async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, StoreError> {
    let rows = sqlx::query!("select version, success, checksum from _sqlx_migrations order by version")
        .fetch_all(connection)
        .await;
    match rows {
        Ok(rows) => Ok(rows.into_iter().map(|row| (row.version, row.success, row.checksum)).collect()),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => Ok(Vec::new()),
        Err(source) => Err(StoreError::during(READING)(source)),
    }
}

fn compare(migrator: &Migrator, applied: &[Applied]) -> Result<(), SchemaMismatch> {
    if let Some((version, ..)) = applied.iter().find(|(_, success, _)| !success) {
        return Err(SchemaMismatch::Interrupted { version: *version });
    }
    if let Some((version, ..)) = applied.iter().find(|(version, ..)| !migrator.version_exists(*version)) {
        return Err(SchemaMismatch::Newer { version: *version });
    }
    for migration in migrator.iter() {
        let description = migration.description.to_string();
        match applied.iter().find(|(version, ..)| *version == migration.version) {
            None => return Err(SchemaMismatch::Missing { version: migration.version, description }),
            Some((version, _, checksum)) if checksum[..] != migration.checksum[..] => {
                return Err(SchemaMismatch::Changed { version: *version, description });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

pub(crate) async fn migrate(pool: &PgPool) -> Result<usize, StoreError> {
    let mut connection = pool.acquire().await.map_err(StoreError::during("migrating the database"))?;
    // The migrator takes the same lock again; held around it, two migrations at once come one after the other, and
    // each knows what it did itself.
    // Neither waiting for that nor a migration of a large table has to be done in the time of an ordinary query.
    sqlx::query("set statement_timeout = 0")
        .execute(&mut *connection)
        .await
        .map_err(StoreError::during("migrating the database"))?;
    connection.lock().await.map_err(StoreError::Migrate)?;
    let migrated = migrate_locked(&mut connection).await;
    let unlocked = connection.unlock().await.map_err(StoreError::Migrate);
    // The connection must not go on without the limit.
    connection.close().await.map_err(StoreError::during("migrating the database"))?;
    let migrated = migrated?;
    unlocked.map(|()| migrated)
}

async fn migrate_locked(connection: &mut PgConnection) -> Result<usize, StoreError> {
    let before = applied(connection).await?;
    match compare(&MIGRATOR, &before) {
        Ok(()) => return Ok(0),
        Err(SchemaMismatch::Missing { .. }) => {}
        Err(mismatch) => return Err(mismatch.into()),
    }
    MIGRATOR.run(&mut *connection).await.map_err(StoreError::Migrate)?;
    Ok(applied(connection).await?.len() - before.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_version_is_named() {
        let all: Vec<_> =
            MIGRATOR.iter().map(|migration| (migration.version, true, migration.checksum.to_vec())).collect();
        assert_eq!(compare(&MIGRATOR, &all), Ok(()));

        let missing = compare(&MIGRATOR, &all[..1]).unwrap_err();
        assert_eq!(missing.to_string(), "the database lacks migration 2 (views): run `killfleet migrate`");

        let mut newer = all.clone();
        newer.push((9999, true, vec![]));
        assert_eq!(compare(&MIGRATOR, &newer), Err(SchemaMismatch::Newer { version: 9999 }));

        let mut interrupted = all.clone();
        interrupted[1].1 = false;
        assert_eq!(compare(&MIGRATOR, &interrupted), Err(SchemaMismatch::Interrupted { version: 2 }));

        let mut changed = all;
        changed[0].2 = vec![0];
        assert!(matches!(compare(&MIGRATOR, &changed), Err(SchemaMismatch::Changed { version: 1, .. })));
    }
}
