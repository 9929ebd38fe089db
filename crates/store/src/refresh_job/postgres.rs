use domain::TokenStreamId;
use sqlx::{PgConnection, Result};

use super::Unclaimed;
use crate::lease;

pub(super) async fn lock_stream(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
) -> Result<Option<Unclaimed>> {
    sqlx::query_as!(
        Unclaimed,
        r#"select character_id, refresh_token_sealed, refresh_token_version, owner_hash, state, strikes,
                  last_refreshed_at is not null as "was_ever_granted!", expires_at, last_error_at,
                  first_refused_at, next_probe_at, lease_until, now() as "now!"
           from token_stream where token_stream_id = $1 for update"#,
        token_stream_id.get()
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn begin_lease(connection: &mut PgConnection, token_stream_id: TokenStreamId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"update token_stream set lease_until = now() + make_interval(secs => $2), fence = fence + 1
           where token_stream_id = $1 returning fence"#,
        token_stream_id.get(),
        lease::seconds(lease::REFRESH)
    )
    .fetch_one(connection)
    .await
}
