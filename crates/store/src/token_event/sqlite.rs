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

/// Whether `event` has happened, and `other` has not happened since.
pub(super) async fn is_last_of_the_two(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    event: &str,
    other: &str,
) -> Result<bool> {
    let last: Option<String> = sqlx::query_scalar(
        "select event from token_event where token_stream_id = ?1 and event in (?2, ?3)
         order by token_event_id desc limit 1",
    )
    .bind(token_stream_id.get())
    .bind(event)
    .bind(other)
    .fetch_optional(connection)
    .await?;
    Ok(last.is_some_and(|last| last == event))
}

pub(super) async fn prune(connection: &mut SqliteConnection, kept_for: Duration) -> Result<u64> {
    sqlx::query("delete from token_event where at < ?1")
        .bind(earlier(kept_for))
        .execute(connection)
        .await
        .map(|pruned| pruned.rows_affected())
}
