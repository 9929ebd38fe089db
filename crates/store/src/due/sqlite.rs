use std::time::Duration;

use domain::CharacterId;
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::{DueCursor, DueFilter, DueRow};
use crate::lease;
use crate::sqlite::{earlier, now_text, text};

pub(super) async fn due_characters(
    connection: &mut SqliteConnection,
    filter: DueFilter,
    after: Option<DueCursor>,
    limit: u32,
) -> Result<Vec<DueRow>> {
    sqlx::query_as(
        "select character_id, next_sync_at from character
         where (?1 or next_sync_at <= ?8)
           and (list_expires_at is null or list_expires_at <= ?8 or (resume_page > 1 and not ?2))
           and (hinted_at is null or hinted_at <= ?3)
           and (lease_until is null or lease_until <= ?8)
           and (?4 is null or character_id = ?4)
           and (?5 is null or (next_sync_at, character_id) > (?5, ?6))
         order by next_sync_at, character_id
         limit ?7",
    )
    .bind(filter.force)
    .bind(filter.full)
    .bind(earlier(lease::HINT_STALE_AFTER))
    .bind(filter.character_id.map(CharacterId::get))
    .bind(after.map(|cursor| text(cursor.0)))
    .bind(after.map_or(0, |cursor| cursor.1))
    .bind(limit)
    .bind(now_text())
    .fetch_all(connection)
    .await
}

pub(super) async fn claim_characters(
    connection: &mut SqliteConnection,
    filter: DueFilter,
    character_ids: &[i64],
) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "update character set hinted_at = ?5, resume_page = iif(?3, 1, resume_page)
         where character_id in (select value from json_each(?1))
           and (?2 or next_sync_at <= ?5)
           and (list_expires_at is null or list_expires_at <= ?5 or (resume_page > 1 and not ?3))
           and (hinted_at is null or hinted_at <= ?4)
           and (lease_until is null or lease_until <= ?5)
         returning character_id",
    )
    .bind(Json(character_ids))
    .bind(filter.force)
    .bind(filter.full)
    .bind(earlier(lease::HINT_STALE_AFTER))
    .bind(now_text())
    .fetch_all(connection)
    .await
}

pub(super) async fn unmark_characters(connection: &mut SqliteConnection, character_ids: &[i64]) -> Result<()> {
    sqlx::query(
        "update character set hinted_at = null
         where character_id in (select value from json_each(?1)) and (lease_until is null or lease_until <= ?2)",
    )
    .bind(Json(character_ids))
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn claim_killmails(connection: &mut SqliteConnection, limit: u32) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "update killmail_ref set hinted_at = ?3
         where killmail_id in (
             select killmail_id from killmail_ref
             where state = 'wanted' and due_at <= ?3
               and (hinted_at is null or hinted_at <= ?2)
               and (lease_until is null or lease_until <= ?3)
             order by (hinted_at is not null), due_at, killmail_id
             limit ?1)
         returning killmail_id",
    )
    .bind(limit)
    .bind(earlier(lease::HINT_STALE_AFTER))
    .bind(now_text())
    .fetch_all(connection)
    .await
}

pub(super) async fn count_killmails(connection: &mut SqliteConnection) -> Result<i64> {
    sqlx::query_scalar(
        "select count(*) from killmail_ref
         where state = 'wanted' and due_at <= ?2
           and (hinted_at is null or hinted_at <= ?1)
           and (lease_until is null or lease_until <= ?2)",
    )
    .bind(earlier(lease::HINT_STALE_AFTER))
    .bind(now_text())
    .fetch_one(connection)
    .await
}

pub(super) async fn unmark_killmails(connection: &mut SqliteConnection, killmail_ids: &[i64]) -> Result<()> {
    sqlx::query(
        "update killmail_ref set hinted_at = null
         where killmail_id in (select value from json_each(?1)) and (lease_until is null or lease_until <= ?2)",
    )
    .bind(Json(killmail_ids))
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn prune_sync_runs(connection: &mut SqliteConnection, kept_for: Duration, limit: u32) -> Result<u64> {
    sqlx::query(
        "delete from sync_run
         where sync_run_id in (select sync_run_id from sync_run where finished_at < ?1 order by finished_at limit ?2)",
    )
    .bind(earlier(kept_for))
    .bind(limit)
    .execute(connection)
    .await
    .map(|pruned| pruned.rows_affected())
}
