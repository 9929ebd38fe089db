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

/// Whether `event` has happened since the last grant. The record of that grant spares a look at everything before it;
/// once it is pruned, only the stream's row knows of it.
pub(super) async fn is_told_since_grant(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    event: &str,
    granted: &str,
) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select e.event = $2 and e.at > coalesce(s.last_refreshed_at, '-infinity') as "is_told!"
           from token_event e join token_stream s using (token_stream_id)
           where token_stream_id = $1 and e.event in ($2, $3)
           order by e.token_event_id desc limit 1"#,
        token_stream_id.get(),
        event,
        granted
    )
    .fetch_optional(connection)
    .await
    .map(Option::unwrap_or_default)
}

/// Rows that another scheduler is just removing are its business.
pub(super) async fn prune(connection: &mut PgConnection, kept_for: Duration, limit: u32) -> Result<u64> {
    sqlx::query!(
        r#"with old as (
               select token_event_id from token_event where at < now() - make_interval(secs => $1)
               order by at limit $2 for update skip locked)
           delete from token_event e using old where e.token_event_id = old.token_event_id"#,
        lease::seconds(kept_for),
        i64::from(limit)
    )
    .execute(connection)
    .await
    .map(|pruned| pruned.rows_affected())
}

/// The words stand in the statement because they do in the index.
pub(super) async fn prune_frequent(connection: &mut PgConnection, kept_for: Duration, limit: u32) -> Result<u64> {
    sqlx::query!(
        r#"with old as (
               select token_event_id from token_event
               where event in ('refreshed', 'rotated') and at < now() - make_interval(secs => $1)
               order by at limit $2 for update skip locked)
           delete from token_event e using old where e.token_event_id = old.token_event_id"#,
        lease::seconds(kept_for),
        i64::from(limit)
    )
    .execute(connection)
    .await
    .map(|pruned| pruned.rows_affected())
}
