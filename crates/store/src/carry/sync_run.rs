//! History: what became of each attempt at a list.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::CarryError;
use super::ends::{in_destination, in_source};
use super::table::Table;

#[derive(Debug, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Run {
    sync_run_id: i64,
    character_id: Option<i64>,
    corporation_id: Option<i64>,
    started_at: DateTime<Utc>,
    finished_at: DateTime<Utc>,
    verdict: String,
    reason: Option<String>,
    pages: i32,
    references_new: i32,
}

pub(super) struct Runs;

impl Table for Runs {
    const NAME: &'static str = "sync_run";
    type Row = Run;
    type Key = i64;

    fn key(row: &Run) -> i64 {
        row.sync_run_id
    }

    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&i64>,
        rows_max: i64,
    ) -> Result<Vec<Run>, CarryError> {
        let rows = sqlx::query_as("select * from sync_run where sync_run_id > ?1 order by sync_run_id limit ?2")
            .bind(after.unwrap_or(&i64::MIN))
            .bind(rows_max);
        Ok(rows.fetch_all(source).await.map_err(in_source)?)
    }

    async fn there(&self, destination: &mut PgConnection, rows: &[Run]) -> Result<Vec<Run>, CarryError> {
        let ids: Vec<i64> = rows.iter().map(Self::key).collect();
        let there = sqlx::query_as!(
            Run,
            r#"select sync_run_id, character_id, corporation_id, started_at, finished_at, verdict, reason, pages,
                      references_new
               from sync_run where sync_run_id = any($1)"#,
            &ids
        );
        Ok(there.fetch_all(destination).await.map_err(in_destination)?)
    }

    async fn insert(&self, destination: &mut PgConnection, rows: &[Run]) -> sqlx::Result<u64> {
        let inserted = sqlx::query!(
            r#"insert into sync_run overriding system value
               select r.* from jsonb_populate_recordset(null::sync_run, $1) r on conflict do nothing"#,
            Json(rows) as _
        );
        Ok(inserted.execute(destination).await?.rows_affected())
    }
}
