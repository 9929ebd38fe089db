use domain::token::{Health, RefreshEnd};
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::Granted;
use crate::refresh_job::RefreshClaim;
use crate::sqlite::{now_text, text};

pub(super) async fn save_rotated(
    connection: &mut SqliteConnection,
    claim: &RefreshClaim,
    sealed: &[u8],
) -> Result<bool> {
    let saved = sqlx::query(
        "update token_stream
         set refresh_token_sealed = ?3, refresh_token_version = refresh_token_version + 1
         where token_stream_id = ?1 and refresh_token_version = ?2",
    )
    .bind(claim.token_stream_id.get())
    .bind(claim.refresh_token_version)
    .bind(sealed);
    Ok(saved.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn save_granted(
    connection: &mut SqliteConnection,
    claim: &RefreshClaim,
    granted: &Granted<'_>,
    sealed: &[u8],
) -> Result<bool> {
    let saved = sqlx::query(
        "update token_stream
         set access_token_sealed = ?3, expires_at = ?4, owner_hash = coalesce(?5, owner_hash),
             granted_scopes = ?6, state = iif(state = 'quarantined', state, ?7),
             strikes = 0, first_refused_at = null, next_probe_at = null,
             last_error_code = null, last_error = null, last_error_at = null, first_error_at = null,
             last_refreshed_at = ?9,
             lease_until = iif(lease_until > ?9, lease_until, null)
         where token_stream_id = ?1 and refresh_token_version = ?2
           and (fence = ?8 or expires_at is null or expires_at < ?4)",
    )
    .bind(claim.token_stream_id.get())
    .bind(claim.refresh_token_version)
    .bind(sealed)
    .bind(text(granted.expires_at))
    .bind(granted.owner_hash)
    .bind(Json(granted.scopes))
    .bind(claim.health_after(RefreshEnd::Granted).state.name())
    .bind(claim.fence)
    .bind(now_text());
    Ok(saved.execute(connection).await?.rows_affected() == 1)
}

/// Whether what was refused is what stands in the row.
pub(super) async fn lock_if_ours(connection: &mut SqliteConnection, claim: &RefreshClaim) -> Result<bool> {
    sqlx::query_scalar(
        "select exists (select 1 from token_stream
                        where token_stream_id = ?1 and refresh_token_version = ?2 and fence = ?3
                          and (last_refreshed_at is null or last_refreshed_at <= ?4 or last_refreshed_at > ?5))",
    )
    .bind(claim.token_stream_id.get())
    .bind(claim.refresh_token_version)
    .bind(claim.fence)
    .bind(text(claim.claimed_at))
    .bind(now_text())
    .fetch_one(connection)
    .await
}

pub(super) async fn save_refused(
    connection: &mut SqliteConnection,
    claim: &RefreshClaim,
    health: &Health,
    error_code: &str,
    error: &str,
) -> Result<bool> {
    let saved = sqlx::query(
        "update token_stream
         set state = ?3, strikes = ?4, first_refused_at = ?5, next_probe_at = ?6,
             first_error_at = iif(last_error_code = ?7, coalesce(first_error_at, ?10), ?10),
             last_error_code = ?7, last_error = ?8, last_error_at = ?10
         where token_stream_id = ?1 and refresh_token_version = ?2 and fence = ?9
           and (last_refreshed_at is null or last_refreshed_at <= ?11 or last_refreshed_at > ?10)",
    )
    .bind(claim.token_stream_id.get())
    .bind(claim.refresh_token_version)
    .bind(health.state.name())
    .bind(i32::try_from(health.strikes).unwrap_or(i32::MAX))
    .bind(health.first_refused_at.map(text))
    .bind(health.next_probe_at.map(text))
    .bind(error_code)
    .bind(error)
    .bind(claim.fence)
    .bind(now_text())
    .bind(text(claim.claimed_at));
    Ok(saved.execute(connection).await?.rows_affected() == 1)
}

/// As in PostgreSQL, one that ends `open` stands in the past.
pub(super) async fn end_lease(connection: &mut SqliteConnection, claim: &RefreshClaim, open: bool) -> Result<()> {
    sqlx::query("update token_stream set lease_until = ?3 where token_stream_id = ?1 and fence = ?2")
        .bind(claim.token_stream_id.get())
        .bind(claim.fence)
        .bind(open.then(now_text))
        .execute(connection)
        .await
        .map(|_| ())
}
