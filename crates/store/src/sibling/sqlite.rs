use domain::{CharacterId, TokenStreamId};
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::TokenRow;
use crate::token_stream::StreamRow;

pub(super) async fn streams_with_scopes(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    scopes: &[String],
) -> Result<Vec<StreamRow>> {
    sqlx::query_as(
        "select token_stream_id, character_id, state, last_error_at,
                access_token_sealed is not null as has_access_token,
                refresh_token_sealed is not null as has_refresh_token,
                expires_at is not null
                and exists (select value from json_each(?2) except select value from json_each(granted_scopes))
                or exists (select value from json_each(?2) intersect select value from json_each(refused_scopes))
                    as lacks_scope,
                expires_at, strikes, first_refused_at, next_probe_at
         from token_stream where character_id = ?1",
    )
    .bind(character_id.get())
    .bind(Json(scopes))
    .fetch_all(connection)
    .await
}

pub(super) async fn token_to_issue(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
) -> Result<Option<TokenRow>> {
    sqlx::query_as(
        "select access_token_sealed, expires_at,
                (select json_group_array(value) from json_each(granted_scopes)
                 where value not in (select value from json_each(refused_scopes))) as scopes
         from token_stream
         where token_stream_id = ?1 and access_token_sealed is not null and expires_at is not null
           and state in ('active', 'suspect')",
    )
    .bind(token_stream_id.get())
    .fetch_optional(connection)
    .await
}
