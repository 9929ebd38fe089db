//! References: what is wanted, what is stored, what was given up, and why.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::CarryError;
use super::ends::{in_destination, in_source};
use super::killmail::Refused;
use super::table::Table;

#[derive(Debug, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Reference {
    killmail_id: i64,
    killmail_hash: String,
    state: String,
    due_at: DateTime<Utc>,
    fence: i64,
    attempt: i32,
    refusals: i32,
    last_reason: Option<String>,
    first_seen_at: DateTime<Utc>,
}

pub(super) struct References<'a> {
    pub(super) refused: &'a Refused,
}

impl Table for References<'_> {
    const NAME: &'static str = "killmail_ref";
    type Row = Reference;
    type Key = i64;

    fn key(row: &Reference) -> i64 {
        row.killmail_id
    }

    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&i64>,
        rows_max: i64,
    ) -> Result<Vec<Reference>, CarryError> {
        let rows = sqlx::query_as("select * from killmail_ref where killmail_id > ?1 order by killmail_id limit ?2")
            .bind(after.unwrap_or(&i64::MIN))
            .bind(rows_max);
        Ok(rows.fetch_all(source).await.map_err(in_source)?)
    }

    /// A killmail without its body is not stored, whatever the file says.
    fn expected(&self, mut row: Reference) -> Option<Reference> {
        if let Some(reason) = self.refused.get(&row.killmail_id) {
            row.state = "parked".to_owned();
            row.last_reason = Some(reason.clone());
        }
        Some(row)
    }

    async fn there(&self, destination: &mut PgConnection, rows: &[Reference]) -> Result<Vec<Reference>, CarryError> {
        let ids: Vec<i64> = rows.iter().map(Self::key).collect();
        let there = sqlx::query_as!(
            Reference,
            r#"select killmail_id, killmail_hash, state, due_at, fence, attempt, refusals, last_reason, first_seen_at
               from killmail_ref where killmail_id = any($1)"#,
            &ids
        );
        Ok(there.fetch_all(destination).await.map_err(in_destination)?)
    }

    async fn insert(&self, destination: &mut PgConnection, rows: &[Reference]) -> sqlx::Result<u64> {
        let inserted = sqlx::query!(
            r#"insert into killmail_ref
               select r.* from jsonb_populate_recordset(null::killmail_ref, $1) r on conflict do nothing"#,
            Json(rows) as _
        );
        Ok(inserted.execute(destination).await?.rows_affected())
    }
}
