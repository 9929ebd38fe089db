//! The two databases of a carriage.

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, PgConnection, Postgres};
use sqlx_sqlite::{Sqlite, SqliteConnection};

use super::Refusal;
use crate::sqlite::SqliteFile;
use crate::{Face, Store, StoreError};

/// From where, and to where.
pub(super) struct Ends<'a> {
    pub(super) source: &'a SqliteFile,
    pub(super) destination: &'a PgPool,
}

pub(super) fn in_source(source: sqlx::Error) -> StoreError {
    StoreError::Database { doing: "carrying: a statement to the file", source }
}

pub(super) fn in_destination(source: sqlx::Error) -> StoreError {
    StoreError::Database { doing: "carrying: a statement to the destination", source }
}

impl<'a> Ends<'a> {
    pub(super) fn of(source: &'a Store, destination: &'a Store) -> Result<Self, Refusal> {
        match (&source.face, &destination.face) {
            (Face::Sqlite(source), Face::Postgres(destination)) => Ok(Self { source, destination }),
            _ => Err(Refusal::OtherWay),
        }
    }

    /// Which database the destination is, without user and password.
    pub(super) fn name(&self) -> String {
        let options = self.destination.connect_options();
        let database = options.get_database().unwrap_or(options.get_username());
        format!("{}:{}/{database}", options.get_host(), options.get_port())
    }

    pub(super) async fn read_source(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.source.readers.acquire().await.map_err(in_source)
    }

    pub(super) async fn read_destination(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.destination.acquire().await.map_err(in_destination)
    }

    /// How many rows a table has here and there.
    pub(super) async fn counts(&self, table: &str) -> Result<(u64, u64), StoreError> {
        let sql = format!("select count(*) from {table}");
        let here: i64 = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
            .fetch_one(&mut *self.read_source().await?)
            .await
            .map_err(in_source)?;
        let there: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut *self.read_destination().await?)
            .await
            .map_err(in_destination)?;
        Ok((here.unsigned_abs(), there.unsigned_abs()))
    }

    /// The ids of token streams and sync runs are kept: the destination must not give one of them to another row, now or
    /// ever. This includes the ids of streams that are gone, for the seals of their tokens were bound to them.
    pub(super) async fn set_ids_of_the_destination_behind_ours(&self) -> Result<(), StoreError> {
        let (token_stream_id, sync_run_id) = last_ids(&mut *self.read_source().await?).await.map_err(in_source)?;
        let mut destination = self.read_destination().await?;
        set_ids_behind(&mut destination, token_stream_id, sync_run_id).await.map_err(in_destination)
    }
}

async fn last_ids(connection: &mut SqliteConnection) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        "select coalesce((select seq from sqlite_sequence where name = 'token_stream'), 0),
                coalesce((select max(sync_run_id) from sync_run), 0)",
    )
    .fetch_one(connection)
    .await
}

async fn set_ids_behind(connection: &mut PgConnection, token_stream_id: i64, sync_run_id: i64) -> sqlx::Result<()> {
    sqlx::query_scalar!(
        r#"select setval('token_stream_token_stream_id_seq', $1) from token_stream_token_stream_id_seq
           where last_value <= $1"#,
        token_stream_id
    )
    .fetch_optional(&mut *connection)
    .await?;
    sqlx::query_scalar!(
        "select setval('sync_run_sync_run_id_seq', $1) from sync_run_sync_run_id_seq where last_value <= $1",
        sync_run_id
    )
    .fetch_optional(connection)
    .await
    .map(|_| ())
}
