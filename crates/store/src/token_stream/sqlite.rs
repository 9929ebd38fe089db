use domain::TokenStreamId;
use domain::token::SCOPE_PROBED_AFTER;
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::{AccessToken, SealedToken, StreamRow};
use crate::sqlite::{earlier, later, now_text, text};

pub(super) async fn streams(
    connection: &mut SqliteConnection,
    character_ids: &[i64],
    scope: &str,
) -> Result<Vec<StreamRow>> {
    sqlx::query_as(
        "select token_stream_id, character_id, state, last_error_at,
                access_token_sealed is not null as has_access_token,
                refresh_token_sealed is not null as has_refresh_token,
                expires_at is not null and ?2 not in (select value from json_each(granted_scopes))
                or ?2 in (select value from json_each(refused_scopes))
                   and scope_refused_at between ?3 and ?4 as lacks_scope,
                expires_at, strikes, first_refused_at, next_probe_at
         from token_stream where character_id in (select value from json_each(?1))",
    )
    .bind(Json(character_ids))
    .bind(scope)
    .bind(earlier(SCOPE_PROBED_AFTER))
    .bind(later(SCOPE_PROBED_AFTER))
    .fetch_all(connection)
    .await
}

pub(super) async fn access_token(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
) -> Result<Option<SealedToken>> {
    sqlx::query_as(
        "select access_token_sealed, expires_at from token_stream
         where token_stream_id = ?1 and access_token_sealed is not null and expires_at is not null",
    )
    .bind(token_stream_id.get())
    .fetch_optional(connection)
    .await
}

pub(super) async fn discard_access_token(connection: &mut SqliteConnection, token: &AccessToken) -> Result<()> {
    sqlx::query("update token_stream set access_token_sealed = null where token_stream_id = ?1 and expires_at = ?2")
        .bind(token.token_stream_id.get())
        .bind(text(token.expires_at))
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn refuse_scope(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    scope: &str,
) -> Result<()> {
    sqlx::query(
        "update token_stream
         set refused_scopes = (select json_group_array(value)
                               from (select value from json_each(refused_scopes) where value <> ?2
                                     union all select ?2)),
             scope_refused_at = ?3
         where token_stream_id = ?1",
    )
    .bind(token_stream_id.get())
    .bind(scope)
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

/// Whether the scope stands there as refused.
pub(super) async fn set_used(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    scope: &str,
) -> Result<bool> {
    let was_refused: Option<bool> = sqlx::query_scalar(
        "update token_stream set last_used_at = ?3 where token_stream_id = ?1
         returning ?2 in (select value from json_each(refused_scopes))",
    )
    .bind(token_stream_id.get())
    .bind(scope)
    .bind(now_text())
    .fetch_optional(connection)
    .await?;
    Ok(was_refused.unwrap_or_default())
}

pub(super) async fn accept_scope(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    scope: &str,
) -> Result<()> {
    sqlx::query(
        "update token_stream
         set refused_scopes = (select json_group_array(value) from json_each(refused_scopes) where value <> ?2),
             scope_refused_at =
                 iif(exists (select 1 from json_each(refused_scopes) where value <> ?2), scope_refused_at, null)
         where token_stream_id = ?1",
    )
    .bind(token_stream_id.get())
    .bind(scope)
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn record_unopenable(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    why: &str,
) -> Result<()> {
    sqlx::query(
        "update token_stream set last_error_code = 'unopenable',
             first_error_at = iif(last_error_code = 'unopenable', coalesce(first_error_at, ?3), ?3),
             last_error = ?2, last_error_at = ?3
         where token_stream_id = ?1",
    )
    .bind(token_stream_id.get())
    .bind(why)
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}
