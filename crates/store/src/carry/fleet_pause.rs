//! Pauses: ESI keeps its counts for the address, whichever fleet asks from it.
//!
//! All but the one of token calls. It belongs to what is thought of EVE SSO (`sso_breaker`), which is not carried:
//! without that nobody would try whether the pause can end. The fleet finds out anew, from the events that are carried.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::CarryError;
use super::ends::{in_destination, in_source};
use super::table::Table;
use crate::pause::SCOPE_SSO;

#[derive(Debug, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Pause {
    scope: String,
    reason: String,
    until: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

pub(super) struct Pauses;

impl Table for Pauses {
    const NAME: &'static str = "fleet_pause";
    type Row = Pause;
    type Key = String;

    fn key(row: &Pause) -> String {
        row.scope.clone()
    }

    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&String>,
        rows_max: i64,
    ) -> Result<Vec<Pause>, CarryError> {
        let rows = sqlx::query_as(
            "select * from fleet_pause where (?1 is null or scope > ?1) and scope <> ?3 order by scope limit ?2",
        )
        .bind(after)
        .bind(rows_max)
        .bind(SCOPE_SSO);
        Ok(rows.fetch_all(source).await.map_err(in_source)?)
    }

    async fn there(&self, destination: &mut PgConnection, rows: &[Pause]) -> Result<Vec<Pause>, CarryError> {
        let scopes: Vec<String> = rows.iter().map(Self::key).collect();
        let there = sqlx::query_as!(
            Pause,
            "select scope, reason, until, created_at from fleet_pause where scope = any($1)",
            &scopes
        );
        Ok(there.fetch_all(destination).await.map_err(in_destination)?)
    }

    async fn insert(&self, destination: &mut PgConnection, rows: &[Pause]) -> sqlx::Result<u64> {
        let inserted = sqlx::query!(
            r#"insert into fleet_pause
               select r.* from jsonb_populate_recordset(null::fleet_pause, $1) r on conflict do nothing"#,
            Json(rows) as _
        );
        Ok(inserted.execute(destination).await?.rows_affected())
    }
}
