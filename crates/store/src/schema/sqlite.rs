use sqlx::migrate::Migrator;
use sqlx_sqlite::{SqliteConnection, SqlitePool};

use super::{Applied, MIGRATING, may_migrate};
use crate::StoreError;

pub(super) static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/sqlite");

pub(super) async fn read_applied(pool: &SqlitePool) -> sqlx::Result<Vec<Applied>> {
    applied(&mut *pool.acquire().await?).await
}

async fn applied(connection: &mut SqliteConnection) -> sqlx::Result<Vec<Applied>> {
    let tables: i64 = sqlx::query_scalar("select count(*) from sqlite_schema where name = '_sqlx_migrations'")
        .fetch_one(&mut *connection)
        .await?;
    if tables == 0 {
        return Ok(Vec::new());
    }
    sqlx::query_as("select version, success, checksum from _sqlx_migrations order by version")
        .fetch_all(connection)
        .await
}

/// In one transaction: two processes that migrate come one after the other, and nothing is ever half migrated.
pub(super) async fn migrate(writer: &SqlitePool) -> Result<usize, StoreError> {
    let failed = || StoreError::during(MIGRATING);
    let mut transaction = writer.begin_with("begin immediate").await.map_err(failed())?;
    let before = applied(&mut transaction).await.map_err(failed())?;
    may_migrate(&MIGRATOR, &before)?;
    MIGRATOR.run(&mut *transaction).await.map_err(StoreError::Migrate)?;
    let after = applied(&mut transaction).await.map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    Ok(after.len() - before.len())
}
