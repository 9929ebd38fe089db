use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Result};

use super::{Row, Spent};
use crate::lease;

pub(super) async fn lock(connection: &mut PgConnection, bucket: &str) -> Result<bool> {
    let locked = sqlx::query!("select bucket from esi_bucket where bucket = $1 for update", bucket);
    Ok(locked.fetch_optional(connection).await?.is_some())
}

/// In a statement after the lock, so that it reads what the holder before us has written; and by the clock, not by the
/// time of a transaction that has waited.
pub(super) async fn row(connection: &mut PgConnection, bucket: &str) -> Result<Row> {
    sqlx::query_as!(
        Row,
        r#"select limit_tokens, window_seconds, greatest(free_at, clock_timestamp() - interval '1 day') as "free_at!",
                  clock_timestamp() as "now!"
           from esi_bucket where bucket = $1"#,
        bucket
    )
    .fetch_one(connection)
    .await
}

pub(super) async fn add(connection: &mut PgConnection, bucket: &str, tokens: i32, window_seconds: i32) -> Result<()> {
    sqlx::query!(
        "insert into esi_bucket (bucket, limit_tokens, window_seconds) values ($1, $2, $3) on conflict do nothing",
        bucket,
        tokens,
        window_seconds
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn set_free_at(connection: &mut PgConnection, bucket: &str, free_at: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update esi_bucket set free_at = $2 where bucket = $1", bucket, free_at)
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn set_seen(
    connection: &mut PgConnection,
    bucket: &str,
    tokens: i32,
    window_seconds: i32,
    remaining: i32,
) -> Result<()> {
    sqlx::query!(
        r#"update esi_bucket set limit_tokens = $2, window_seconds = $3, remaining = $4, seen_at = now()
           where bucket = $1"#,
        bucket,
        tokens,
        window_seconds,
        remaining
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn forget_spent(connection: &mut PgConnection, bucket: &str, window: Duration) -> Result<()> {
    sqlx::query!(
        r#"delete from esi_spent
           where bucket = $1 and (at <= clock_timestamp() - make_interval(secs => $2)
                                  or at > clock_timestamp() + interval '1 hour')"#,
        bucket,
        lease::seconds(window)
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn spent(connection: &mut PgConnection, bucket: &str) -> Result<Spent> {
    sqlx::query_as!(
        Spent,
        r#"select coalesce(sum(tokens), 0) as "tokens!", min(at) as oldest_at from esi_spent where bucket = $1"#,
        bucket
    )
    .fetch_one(connection)
    .await
}

pub(super) async fn add_spent(
    connection: &mut PgConnection,
    bucket: &str,
    at: DateTime<Utc>,
    tokens: i32,
) -> Result<()> {
    sqlx::query!("insert into esi_spent (bucket, at, tokens) values ($1, $2, $3)", bucket, at, tokens)
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn add_spent_now(connection: &mut PgConnection, bucket: &str, tokens: i32) -> Result<()> {
    sqlx::query!("insert into esi_spent (bucket, at, tokens) values ($1, now(), $2)", bucket, tokens)
        .execute(connection)
        .await
        .map(|_| ())
}
