use sqlx::Connection;
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

pub(super) async fn migrate(writer: &SqlitePool) -> Result<usize, StoreError> {
    migrate_with(&MIGRATOR, writer).await
}

/// In one transaction: two processes that migrate come one after the other, and nothing is ever half migrated.
async fn migrate_with(migrator: &Migrator, writer: &SqlitePool) -> Result<usize, StoreError> {
    let failed = || StoreError::during(MIGRATING);
    let mut connection = writer.acquire().await.map_err(failed())?;
    // To alter a table more deeply is to copy it and to drop the old one, and that deletes its rows: with `on delete
    // cascade` all token streams would go with the characters. Only outside a transaction can this be turned off; the
    // connection does not go on without it.
    connection.close_on_drop();
    sqlx::query("pragma foreign_keys = off").execute(&mut *connection).await.map_err(failed())?;
    let mut transaction = connection.begin_with("begin immediate").await.map_err(failed())?;
    let before = applied(&mut transaction).await.map_err(failed())?;
    may_migrate(migrator, &before)?;
    if before.len() == migrator.iter().count() {
        return Ok(0);
    }
    // Some may be there: whoever deletes by hand in SQLite's shell leaves them.
    let orphans_before = orphans(&mut transaction).await.map_err(failed())?;
    migrator.run(&mut *transaction).await.map_err(StoreError::Migrate)?;
    let after = applied(&mut transaction).await.map_err(failed())?;
    let orphans = orphans(&mut transaction).await.map_err(failed())?;
    if orphans > orphans_before {
        return Err(StoreError::unexpected(format!("{orphans} rows whose parents are gone after migrating")));
    }
    transaction.commit().await.map_err(failed())?;
    Ok(after.len() - before.len())
}

/// Rows that refer to one that is not there.
async fn orphans(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from pragma_foreign_key_check").fetch_one(connection).await
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use sqlx::SqlStr;
    use sqlx::migrate::{Migration, MigrationType};
    use tokio::runtime::Builder;

    use super::*;
    use crate::sqlite::{SqliteFile, path_in};

    fn migrator(texts: &[&'static str]) -> Migrator {
        let migrations = (1..).zip(texts).map(|(version, text)| {
            Migration::new(version, "test".into(), MigrationType::Simple, SqlStr::from_static(text), false)
        });
        Migrator::with_migrations(migrations.collect())
    }

    #[test]
    fn a_table_can_be_made_anew_and_what_refers_to_its_rows_stays() {
        const FIRST: &str = "create table pilot (id integer primary key);
            create table token (pilot_id integer not null references pilot on delete cascade);
            insert into pilot values (1);
            insert into token values (1)";
        const COPY: &str = "create table pilot_anew (id integer primary key, name text);
            insert into pilot_anew (id) select id from pilot;
            drop table pilot;
            alter table pilot_anew rename to pilot";
        const FORGETS: &str = "create table pilot_anew (id integer primary key);
            drop table pilot;
            alter table pilot_anew rename to pilot";
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let url = crate::scratch::create_file().unwrap();
            let file = SqliteFile::open(path_in(url.expose_secret()).unwrap(), 1).await.unwrap();
            let tokens = async || -> i64 {
                sqlx::query_scalar("select count(*) from token").fetch_one(&file.writer).await.unwrap()
            };
            assert_eq!(migrate_with(&migrator(&[FIRST, COPY]), &file.writer).await.unwrap(), 2);
            assert_eq!(tokens().await, 1);
            assert!(migrate_with(&migrator(&[FIRST, COPY, FORGETS]), &file.writer).await.is_err());
            assert_eq!(tokens().await, 1);
            let orphan = "insert into token values (2)";
            assert!(sqlx::query(orphan).execute(&file.writer).await.is_err(), "the rule holds again");
            sqlx::raw_sql("pragma foreign_keys = off").execute(&file.writer).await.unwrap();
            sqlx::query(orphan).execute(&file.writer).await.unwrap();
            let one_more = migrator(&[FIRST, COPY, "create table third (id integer)"]);
            let migrated = migrate_with(&one_more, &file.writer).await;
            assert_eq!(migrated.unwrap(), 1, "what was wrong before is in nobody's way");
            assert_eq!(migrate_with(&one_more, &file.writer).await.unwrap(), 0);
            file.close().await;
            crate::scratch::drop(&url).await.unwrap();
        });
    }
}
