//! History: what operators have done by hand. As for what has happened to token streams ([`super::token_event`]), nothing
//! refers to the ids, and they are not kept, but their order is.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::CarryError;
use super::ends::{in_destination, in_source};
use super::table::Table;

#[derive(Debug, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Action {
    operator_action_id: i64,
    at: DateTime<Utc>,
    operator: Option<String>,
    action: String,
    subject: String,
    cause: Option<String>,
    note: Option<String>,
}

/// No file has ever written so many records.
const FLEETS_OWN_ID: i64 = 1 << 62;

pub(super) struct Actions;

impl Table for Actions {
    const NAME: &'static str = "operator_action";
    type Row = Action;
    type Key = i64;

    fn key(row: &Action) -> i64 {
        row.operator_action_id
    }

    /// Before all that the fleet has written, or will, so that the two cannot meet.
    fn expected(&self, row: Action) -> Option<Action> {
        Some(Action { operator_action_id: row.operator_action_id - FLEETS_OWN_ID, ..row })
    }

    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&i64>,
        rows_max: i64,
    ) -> Result<Vec<Action>, CarryError> {
        let rows = sqlx::query_as(
            "select * from operator_action where operator_action_id > ?1 order by operator_action_id limit ?2",
        )
        .bind(after.unwrap_or(&i64::MIN))
        .bind(rows_max);
        Ok(rows.fetch_all(source).await.map_err(in_source)?)
    }

    async fn there(&self, destination: &mut PgConnection, rows: &[Action]) -> Result<Vec<Action>, CarryError> {
        let ids: Vec<i64> = rows.iter().map(Self::key).collect();
        let there = sqlx::query_as!(
            Action,
            r#"select operator_action_id, at, operator, action, subject, cause, note
               from operator_action where operator_action_id = any($1)"#,
            &ids
        );
        Ok(there.fetch_all(destination).await.map_err(in_destination)?)
    }

    async fn insert(&self, destination: &mut PgConnection, rows: &[Action]) -> sqlx::Result<u64> {
        let inserted = sqlx::query!(
            r#"insert into operator_action overriding system value
               select r.* from jsonb_populate_recordset(null::operator_action, $1) r on conflict do nothing"#,
            Json(rows) as _
        );
        Ok(inserted.execute(destination).await?.rows_affected())
    }
}
