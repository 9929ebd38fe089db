//! History: what has happened to token streams, also to those that are gone.
//!
//! A record outlives its stream, so the destination may have some of its own although it has no stream: nothing refers
//! to the ids, and they are not kept, but their order is.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::CarryError;
use super::ends::{in_destination, in_source};
use super::table::Table;

#[derive(Debug, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Event {
    token_event_id: i64,
    token_stream_id: i64,
    character_id: i64,
    event: String,
    detail: Option<String>,
    at: DateTime<Utc>,
}

/// No file has ever written so many records.
const FLEETS_OWN_ID: i64 = 1 << 62;

pub(super) struct Events;

impl Table for Events {
    const NAME: &'static str = "token_event";
    type Row = Event;
    type Key = i64;

    fn key(row: &Event) -> i64 {
        row.token_event_id
    }

    /// Before all that the fleet has written, or will, so that the two cannot meet.
    fn expected(&self, row: Event) -> Option<Event> {
        Some(Event { token_event_id: row.token_event_id - FLEETS_OWN_ID, ..row })
    }

    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&i64>,
        rows_max: i64,
    ) -> Result<Vec<Event>, CarryError> {
        let rows =
            sqlx::query_as("select * from token_event where token_event_id > ?1 order by token_event_id limit ?2")
                .bind(after.unwrap_or(&i64::MIN))
                .bind(rows_max);
        Ok(rows.fetch_all(source).await.map_err(in_source)?)
    }

    async fn there(&self, destination: &mut PgConnection, rows: &[Event]) -> Result<Vec<Event>, CarryError> {
        let ids: Vec<i64> = rows.iter().map(Self::key).collect();
        let there = sqlx::query_as!(
            Event,
            r#"select token_event_id, token_stream_id, character_id, event, detail, at
               from token_event where token_event_id = any($1)"#,
            &ids
        );
        Ok(there.fetch_all(destination).await.map_err(in_destination)?)
    }

    async fn insert(&self, destination: &mut PgConnection, rows: &[Event]) -> sqlx::Result<u64> {
        let inserted = sqlx::query!(
            r#"insert into token_event overriding system value
               select r.* from jsonb_populate_recordset(null::token_event, $1) r on conflict do nothing"#,
            Json(rows) as _
        );
        Ok(inserted.execute(destination).await?.rows_affected())
    }
}
