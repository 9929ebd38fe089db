use std::time::Duration;

use domain::TokenStreamId;
use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use crate::sqlite::{earlier, now_text};

pub(super) async fn record(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    event: &str,
    detail: Option<&str>,
) -> Result<()> {
    sqlx::query(
        "insert into token_event (token_stream_id, character_id, event, detail, at)
         select token_stream_id, character_id, ?2, ?3, ?4 from token_stream where token_stream_id = ?1",
    )
    .bind(token_stream_id.get())
    .bind(event)
    .bind(detail)
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn record_gone(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    character_id: i64,
    event: &str,
) -> Result<()> {
    sqlx::query("insert into token_event (token_stream_id, character_id, event, at) values (?1, ?2, ?3, ?4)")
        .bind(token_stream_id.get())
        .bind(character_id)
        .bind(event)
        .bind(now_text())
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn is_told_since_grant(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    event: &str,
    granted: &str,
) -> Result<bool> {
    let is_told: Option<bool> = sqlx::query_scalar(
        "select e.event = ?2 and e.at > coalesce(s.last_refreshed_at, '')
         from token_event e join token_stream s using (token_stream_id)
         where token_stream_id = ?1 and e.event in (?2, ?3)
         order by e.token_event_id desc limit 1",
    )
    .bind(token_stream_id.get())
    .bind(event)
    .bind(granted)
    .fetch_optional(connection)
    .await?;
    Ok(is_told.unwrap_or_default())
}

pub(super) async fn prune(connection: &mut SqliteConnection, kept_for: Duration, limit: u32) -> Result<u64> {
    sqlx::query(
        "delete from token_event
         where token_event_id in (select token_event_id from token_event where at < ?1 order by at limit ?2)",
    )
    .bind(earlier(kept_for))
    .bind(limit)
    .execute(connection)
    .await
    .map(|pruned| pruned.rows_affected())
}

/// The words stand in the statement because they do in the index.
pub(super) async fn prune_frequent(connection: &mut SqliteConnection, kept_for: Duration, limit: u32) -> Result<u64> {
    sqlx::query(
        "delete from token_event
         where token_event_id in (select token_event_id from token_event where event in ('refreshed', 'rotated') and at < ?1
                                  order by at limit ?2)",
    )
    .bind(earlier(kept_for))
    .bind(limit)
    .execute(connection)
    .await
    .map(|pruned| pruned.rows_affected())
}
