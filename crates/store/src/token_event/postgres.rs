use std::time::Duration;

use domain::TokenStreamId;
use sqlx::{PgConnection, Result};

use crate::lease;

pub(super) async fn record(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    event: &str,
    detail: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        r#"insert into token_event (token_stream_id, character_id, event, detail)
           select token_stream_id, character_id, $2, $3 from token_stream where token_stream_id = $1"#,
        token_stream_id.get(),
        event,
        detail
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn record_gone(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    character_id: i64,
    event: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into token_event (token_stream_id, character_id, event) values ($1, $2, $3)",
        token_stream_id.get(),
        character_id,
        event
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Whether `event` has happened, and `other` has not happened since.
pub(super) async fn is_last_of_the_two(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    event: &str,
    other: &str,
) -> Result<bool> {
    let last = sqlx::query_scalar!(
        r#"select event from token_event where token_stream_id = $1 and event in ($2, $3)
           order by token_event_id desc limit 1"#,
        token_stream_id.get(),
        event,
        other
    );
    Ok(last.fetch_optional(connection).await?.is_some_and(|last| last == event))
}

pub(super) async fn prune(connection: &mut PgConnection, kept_for: Duration) -> Result<u64> {
    sqlx::query!("delete from token_event where at < now() - make_interval(secs => $1)", lease::seconds(kept_for))
        .execute(connection)
        .await
        .map(|pruned| pruned.rows_affected())
}
