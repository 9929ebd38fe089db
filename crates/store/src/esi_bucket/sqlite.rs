use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::{Row, Spent};
use crate::sqlite::{earlier, later, now, now_text, text};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A transaction that writes is the only one in any case.
pub(super) async fn lock(connection: &mut SqliteConnection, bucket: &str) -> Result<bool> {
    let there = sqlx::query("select bucket from esi_bucket where bucket = ?1").bind(bucket);
    Ok(there.fetch_optional(connection).await?.is_some())
}

pub(super) async fn row(connection: &mut SqliteConnection, bucket: &str) -> Result<Row> {
    sqlx::query_as("select limit_tokens, window_seconds, free_at, ?2 as now from esi_bucket where bucket = ?1")
        .bind(bucket)
        .bind(now_text())
        .fetch_one(connection)
        .await
}

pub(super) async fn add(
    connection: &mut SqliteConnection,
    bucket: &str,
    tokens: i32,
    window_seconds: i32,
) -> Result<()> {
    sqlx::query("insert into esi_bucket (bucket, limit_tokens, window_seconds, free_at) values (?1, ?2, ?3, ?4)")
        .bind(bucket)
        .bind(tokens)
        .bind(window_seconds)
        .bind(earlier(HOUR * 24))
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn set_free_at(connection: &mut SqliteConnection, bucket: &str, free_at: DateTime<Utc>) -> Result<()> {
    sqlx::query("update esi_bucket set free_at = ?2 where bucket = ?1")
        .bind(bucket)
        .bind(text(free_at))
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn set_seen(
    connection: &mut SqliteConnection,
    bucket: &str,
    tokens: i32,
    window_seconds: i32,
    remaining: i32,
) -> Result<()> {
    sqlx::query(
        "update esi_bucket set limit_tokens = ?2, window_seconds = ?3, remaining = ?4, seen_at = ?5 where bucket = ?1",
    )
    .bind(bucket)
    .bind(tokens)
    .bind(window_seconds)
    .bind(remaining)
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn forget_spent(connection: &mut SqliteConnection, bucket: &str, window: Duration) -> Result<()> {
    sqlx::query("delete from esi_spent where bucket = ?1 and (at <= ?2 or at > ?3)")
        .bind(bucket)
        .bind(earlier(window))
        .bind(later(HOUR))
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn spent(connection: &mut SqliteConnection, bucket: &str) -> Result<Spent> {
    sqlx::query_as("select coalesce(sum(tokens), 0) as tokens, min(at) as oldest_at from esi_spent where bucket = ?1")
        .bind(bucket)
        .fetch_one(connection)
        .await
}

pub(super) async fn add_spent(
    connection: &mut SqliteConnection,
    bucket: &str,
    at: DateTime<Utc>,
    tokens: i32,
) -> Result<()> {
    sqlx::query("insert into esi_spent (bucket, at, tokens) values (?1, ?2, ?3)")
        .bind(bucket)
        .bind(text(at))
        .bind(tokens)
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn add_spent_now(connection: &mut SqliteConnection, bucket: &str, tokens: i32) -> Result<()> {
    add_spent(connection, bucket, now(), tokens).await
}
