use domain::TokenStreamId;
use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::Unclaimed;
use crate::lease;
use crate::sqlite::{later, now_text};

/// There is nothing to lock: the transaction is the only one that writes.
pub(super) async fn lock_stream(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
) -> Result<Option<Unclaimed>> {
    sqlx::query_as(
        "select character_id, refresh_token_sealed, refresh_token_version, owner_hash, state, strikes,
                last_refreshed_at is not null as was_ever_granted, expires_at, last_error_at,
                first_refused_at, next_probe_at, lease_until, ?2 as now
         from token_stream where token_stream_id = ?1",
    )
    .bind(token_stream_id.get())
    .bind(now_text())
    .fetch_optional(connection)
    .await
}

pub(super) async fn begin_lease(connection: &mut SqliteConnection, token_stream_id: TokenStreamId) -> Result<i64> {
    sqlx::query_scalar(
        "update token_stream set lease_until = ?2, fence = fence + 1 where token_stream_id = ?1 returning fence",
    )
    .bind(token_stream_id.get())
    .bind(later(lease::REFRESH))
    .fetch_one(connection)
    .await
}
