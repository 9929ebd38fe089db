use domain::{CharacterId, TokenStreamId};
use sqlx::{PgConnection, Result};

use super::TokenRow;
use crate::token_stream::StreamRow;

pub(super) async fn streams_with_scopes(
    connection: &mut PgConnection,
    character_id: CharacterId,
    scopes: &[String],
) -> Result<Vec<StreamRow>> {
    sqlx::query_as!(
        StreamRow,
        r#"select token_stream_id, character_id, state, last_error_at,
                  access_token_sealed is not null as "has_access_token!",
                  refresh_token_sealed is not null as "has_refresh_token!",
                  expires_at is not null and not (granted_scopes @> $2) or refused_scopes && $2 as "lacks_scope!",
                  expires_at, strikes, first_refused_at, next_probe_at
           from token_stream where character_id = $1"#,
        character_id.get(),
        scopes
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn token_to_issue(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
) -> Result<Option<TokenRow>> {
    sqlx::query_as!(
        TokenRow,
        r#"select access_token_sealed as "access_token_sealed!", expires_at as "expires_at!",
                  array(select scope from unnest(granted_scopes) with ordinality as granted (scope, number)
                        where scope <> all (refused_scopes) order by number) as "scopes!"
           from token_stream
           where token_stream_id = $1 and access_token_sealed is not null and expires_at is not null
             and state in ('active', 'suspect')"#,
        token_stream_id.get()
    )
    .fetch_optional(connection)
    .await
}
