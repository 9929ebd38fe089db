use std::time::Duration;

use domain::TokenStreamId;
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::Asked;
use crate::sqlite::{earlier, now_text, text};
use crate::token_stream::AccessToken;

const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) async fn asked(connection: &mut SqliteConnection) -> Result<Asked> {
    sqlx::query_as(
        "select count(*) filter (where state = 'active' and expires_at > ?2
                                   or access_token_sealed is null and expires_at is not null) as streams,
                count(*) filter (where look_hinted_at > ?1 and look_hinted_at <= ?2) as within_the_hour,
                max(look_hinted_at) filter (where look_hinted_at <= ?2) as last_at, ?2 as now
         from token_stream",
    )
    .bind(earlier(HOUR))
    .bind(now_text())
    .fetch_one(connection)
    .await
}

pub(super) async fn due(
    connection: &mut SqliteConnection,
    look_after: Duration,
    again_after: Duration,
    limit: i64,
) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "select token_stream_id from token_stream
         where state = 'active'
           and (access_token_sealed is not null and expires_at > ?4
                and max(created_at, coalesce(last_refreshed_at, ''), coalesce(last_used_at, ''), coalesce(looked_at, ''))
                    <= ?1
                or access_token_sealed is null and expires_at is not null and refresh_token_sealed is not null)
           and (lease_until is null or lease_until <= ?4)
           and (look_hinted_at is null or look_hinted_at <= ?2 or look_hinted_at > ?4)
         order by max(created_at, coalesce(last_refreshed_at, ''), coalesce(last_used_at, ''), coalesce(looked_at, '')),
                  token_stream_id
         limit ?3",
    )
    .bind(earlier(look_after))
    .bind(earlier(again_after))
    .bind(limit)
    .bind(now_text())
    .fetch_all(connection)
    .await
}

pub(super) async fn claim(connection: &mut SqliteConnection, ids: &[i64], again_after: Duration) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "update token_stream set look_hinted_at = ?3
         where token_stream_id in (select value from json_each(?1))
           and (look_hinted_at is null or look_hinted_at <= ?2 or look_hinted_at > ?3)
         returning token_stream_id",
    )
    .bind(Json(ids))
    .bind(earlier(again_after))
    .bind(now_text())
    .fetch_all(connection)
    .await
}

pub(super) async fn unmark(connection: &mut SqliteConnection, ids: &[i64]) -> Result<()> {
    sqlx::query(
        "update token_stream set look_hinted_at = null
         where token_stream_id in (select value from json_each(?1))",
    )
    .bind(Json(ids))
    .execute(connection)
    .await
    .map(|_| ())
}

/// Whether it has an access token, if it is due.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    look_after: Duration,
) -> Result<Option<bool>> {
    sqlx::query_scalar(
        "select access_token_sealed is not null from token_stream
         where token_stream_id = ?1 and state = 'active'
           and (access_token_sealed is not null and expires_at > ?3
                and max(created_at, coalesce(last_refreshed_at, ''), coalesce(last_used_at, ''), coalesce(looked_at, ''))
                    <= ?2
                or access_token_sealed is null and expires_at is not null and refresh_token_sealed is not null)",
    )
    .bind(token_stream_id.get())
    .bind(earlier(look_after))
    .bind(now_text())
    .fetch_optional(connection)
    .await
}

pub(super) async fn set_looked_at(connection: &mut SqliteConnection, token_stream_id: TokenStreamId) -> Result<()> {
    sqlx::query("update token_stream set looked_at = ?2 where token_stream_id = ?1")
        .bind(token_stream_id.get())
        .bind(now_text())
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn revoke(connection: &mut SqliteConnection, token: &AccessToken, why: &str) -> Result<bool> {
    let revoked = sqlx::query(
        "update token_stream
         set access_token_sealed = null, last_error_code = 'access_revoked', last_error = ?3,
             first_error_at = ?4, last_error_at = ?4
         where token_stream_id = ?1 and expires_at = ?2 and access_token_sealed is not null",
    )
    .bind(token.token_stream_id.get())
    .bind(text(token.expires_at))
    .bind(why)
    .bind(now_text());
    Ok(revoked.execute(connection).await?.rows_affected() == 1)
}
