//! Characters, each with what is known of its list.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::CarryError;
use super::ends::{in_destination, in_source};
use super::table::Table;

#[derive(Debug, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Character {
    character_id: i64,
    character_name: String,
    created_at: DateTime<Utc>,
    next_sync_at: DateTime<Utc>,
    list_expires_at: Option<DateTime<Utc>>,
    list_etag: Option<String>,
    resume_page: Option<i32>,
    missing_pages: i32,
    fence: i64,
    attempt: i32,
    last_synced_at: Option<DateTime<Utc>>,
    full_walk_at: Option<DateTime<Utc>>,
    corporation_id: Option<i64>,
    affiliation_due_at: Option<DateTime<Utc>>,
    director_at: Option<DateTime<Utc>>,
    last_verdict: Option<String>,
    last_reason: Option<String>,
    last_verdict_at: Option<DateTime<Utc>>,
}

pub(super) struct Characters;

impl Table for Characters {
    const NAME: &'static str = "character";
    type Row = Character;
    type Key = i64;

    fn key(row: &Character) -> i64 {
        row.character_id
    }

    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&i64>,
        rows_max: i64,
    ) -> Result<Vec<Character>, CarryError> {
        let rows = sqlx::query_as("select * from character where character_id > ?1 order by character_id limit ?2")
            .bind(after.unwrap_or(&i64::MIN))
            .bind(rows_max);
        Ok(rows.fetch_all(source).await.map_err(in_source)?)
    }

    async fn there(&self, destination: &mut PgConnection, rows: &[Character]) -> Result<Vec<Character>, CarryError> {
        let ids: Vec<i64> = rows.iter().map(Self::key).collect();
        let there = sqlx::query_as!(
            Character,
            r#"select character_id, character_name, created_at, next_sync_at, list_expires_at, list_etag, resume_page,
                      missing_pages, fence, attempt, last_synced_at, full_walk_at, last_verdict, last_reason, last_verdict_at,
                      corporation_id, affiliation_due_at, director_at
               from character where character_id = any($1)"#,
            &ids
        );
        Ok(there.fetch_all(destination).await.map_err(in_destination)?)
    }

    async fn insert(&self, destination: &mut PgConnection, rows: &[Character]) -> sqlx::Result<u64> {
        let inserted = sqlx::query!(
            r#"insert into character
               select r.* from jsonb_populate_recordset(null::"character", $1) r on conflict do nothing"#,
            Json(rows) as _
        );
        Ok(inserted.execute(destination).await?.rows_affected())
    }
}
