use domain::token::{Health, RefreshEnd};
use sqlx::{PgConnection, Result};

use super::Granted;
use crate::refresh_job::RefreshClaim;

pub(super) async fn save_rotated(connection: &mut PgConnection, claim: &RefreshClaim, sealed: &[u8]) -> Result<bool> {
    let saved = sqlx::query!(
        r#"update token_stream
           set refresh_token_sealed = $3, refresh_token_version = refresh_token_version + 1
           where token_stream_id = $1 and refresh_token_version = $2"#,
        claim.token_stream_id.get(),
        claim.refresh_token_version,
        sealed
    );
    Ok(saved.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn save_granted(
    connection: &mut PgConnection,
    claim: &RefreshClaim,
    granted: &Granted<'_>,
    sealed: &[u8],
) -> Result<bool> {
    let saved = sqlx::query!(
        r#"update token_stream
           set access_token_sealed = $3, expires_at = $4, owner_hash = coalesce($5, owner_hash),
               granted_scopes = $6, state = case when state = 'quarantined' then state else $7 end,
               strikes = 0, first_refused_at = null, next_probe_at = null,
               last_error_code = null, last_error = null, last_error_at = null, first_error_at = null,
               last_refreshed_at = now(),
               lease_until = case when lease_until > now() then lease_until end
           where token_stream_id = $1 and refresh_token_version = $2
             and (fence = $8 or expires_at is null or expires_at < $4)"#,
        claim.token_stream_id.get(),
        claim.refresh_token_version,
        sealed,
        granted.expires_at,
        granted.owner_hash,
        granted.scopes,
        claim.health_after(RefreshEnd::Granted).state.name(),
        claim.fence
    );
    Ok(saved.execute(connection).await?.rows_affected() == 1)
}

/// Whether what was refused is what stands in the row, which stays so until the end of the transaction. It is not,
/// either, when the pilot has signed in meanwhile and has got the same refresh token. A grant in the future tells of a
/// clock that was wrong, and of no such pilot.
pub(super) async fn lock_if_ours(connection: &mut PgConnection, claim: &RefreshClaim) -> Result<bool> {
    let ours = sqlx::query!(
        r#"select token_stream_id from token_stream
           where token_stream_id = $1 and refresh_token_version = $2 and fence = $3
             and (last_refreshed_at is null or last_refreshed_at <= $4 or last_refreshed_at > clock_timestamp())
           for update"#,
        claim.token_stream_id.get(),
        claim.refresh_token_version,
        claim.fence,
        claim.claimed_at
    );
    Ok(ours.fetch_optional(connection).await?.is_some())
}

pub(super) async fn save_refused(
    connection: &mut PgConnection,
    claim: &RefreshClaim,
    health: &Health,
    error_code: &str,
    error: &str,
) -> Result<bool> {
    let saved = sqlx::query!(
        r#"update token_stream
           set state = $3, strikes = $4, first_refused_at = $5, next_probe_at = $6,
               first_error_at = case when last_error_code = $7 then coalesce(first_error_at, now()) else now() end,
               last_error_code = $7, last_error = $8, last_error_at = now()
           where token_stream_id = $1 and refresh_token_version = $2 and fence = $9
             and (last_refreshed_at is null or last_refreshed_at <= $10 or last_refreshed_at > clock_timestamp())"#,
        claim.token_stream_id.get(),
        claim.refresh_token_version,
        health.state.name(),
        i32::try_from(health.strikes).unwrap_or(i32::MAX),
        health.first_refused_at,
        health.next_probe_at,
        error_code,
        error,
        claim.fence,
        claim.claimed_at
    );
    Ok(saved.execute(connection).await?.rows_affected() == 1)
}

/// The lease ends if it is still ours, whatever the row says. One that ends `open` stands in the past, as if we had died
/// with it: that is what tells the next claim of a lost answer.
pub(super) async fn end_lease(connection: &mut PgConnection, claim: &RefreshClaim, open: bool) -> Result<()> {
    sqlx::query!(
        r#"update token_stream set lease_until = case when $3 then now() end
           where token_stream_id = $1 and fence = $2"#,
        claim.token_stream_id.get(),
        claim.fence,
        open
    )
    .execute(connection)
    .await
    .map(|_| ())
}
