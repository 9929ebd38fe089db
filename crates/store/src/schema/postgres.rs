use sqlx::PgConnection;
use sqlx::migrate::{Migrate, Migrator};
use sqlx::postgres::PgPool;

use super::{Applied, GRANTING, MIGRATING, may_migrate};
use crate::StoreError;

pub(super) static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/postgres");

/// What each of the two group roles may do. Its file is not numbered, so the migrator passes it over.
const GRANTS: &str = include_str!("../../../../migrations/postgres/grants.sql");

const UNDEFINED_TABLE: &str = "42P01";

pub(super) async fn read_applied(pool: &PgPool) -> sqlx::Result<Vec<Applied>> {
    applied(&mut *pool.acquire().await?).await
}

async fn applied(connection: &mut PgConnection) -> sqlx::Result<Vec<Applied>> {
    let rows = sqlx::query_as!(Applied, "select version, success, checksum from _sqlx_migrations order by version");
    match rows.fetch_all(connection).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => Ok(Vec::new()),
        rows => rows,
    }
}

pub(super) async fn migrate(pool: &PgPool) -> Result<usize, StoreError> {
    let failed = || StoreError::during(MIGRATING);
    let mut connection = pool.acquire().await.map_err(failed())?;
    // The migrator takes the same lock again; held around it, two migrations at once come one after the other, and
    // each knows what it did itself.
    // Neither waiting for that nor a migration of a large table has to be done in the time of an ordinary query.
    sqlx::query("set statement_timeout = 0").execute(&mut *connection).await.map_err(failed())?;
    connection.lock().await.map_err(StoreError::Migrate)?;
    let migrated = migrate_locked(&mut connection).await;
    let unlocked = connection.unlock().await.map_err(StoreError::Migrate);
    // The connection must not go on without the limit.
    connection.close().await.map_err(failed())?;
    let migrated = migrated?;
    unlocked.map(|()| migrated)
}

async fn migrate_locked(connection: &mut PgConnection) -> Result<usize, StoreError> {
    let before = applied(connection).await.map_err(StoreError::during(MIGRATING))?;
    may_migrate(&MIGRATOR, &before)?;
    MIGRATOR.run(&mut *connection).await.map_err(StoreError::Migrate)?;
    sqlx::raw_sql(GRANTS).execute(&mut *connection).await.map_err(StoreError::during(GRANTING))?;
    Ok(applied(connection).await.map_err(StoreError::during(MIGRATING))?.len() - before.len())
}
