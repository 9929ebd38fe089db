use domain::TokenStreamId;
use domain::token::SCOPE_PROBED_AFTER;
use sqlx::{PgConnection, Result};

use super::{AccessToken, SealedToken, StreamRow};
use crate::lease;

/// With the end of an access token stands what was granted with it; before the first one nothing is known.
pub(super) async fn streams(
    connection: &mut PgConnection,
    character_ids: &[i64],
    scope: &str,
) -> Result<Vec<StreamRow>> {
    sqlx::query_as!(
        StreamRow,
        r#"select token_stream_id, character_id, state, last_error_at,
                  access_token_sealed is not null as "has_access_token!",
                  refresh_token_sealed is not null as "has_refresh_token!",
                  expires_at is not null and $2 <> all (granted_scopes)
                  or $2 = any (refused_scopes)
                     and scope_refused_at between now() - make_interval(secs => $3)
                                              and now() + make_interval(secs => $3) as "lacks_scope!",
                  expires_at, strikes, first_refused_at, next_probe_at
           from token_stream where character_id = any($1)"#,
        character_ids,
        scope,
        lease::seconds(SCOPE_PROBED_AFTER)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn access_token(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
) -> Result<Option<SealedToken>> {
    sqlx::query_as!(
        SealedToken,
        r#"select access_token_sealed as "access_token_sealed!", expires_at as "expires_at!" from token_stream
           where token_stream_id = $1 and access_token_sealed is not null and expires_at is not null"#,
        token_stream_id.get()
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn discard_access_token(connection: &mut PgConnection, token: &AccessToken) -> Result<()> {
    sqlx::query!(
        r#"update token_stream set access_token_sealed = null
           where token_stream_id = $1 and expires_at = $2"#,
        token.token_stream_id.get(),
        token.expires_at
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn refuse_scope(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    scope: &str,
) -> Result<()> {
    sqlx::query!(
        r#"update token_stream
           set refused_scopes = array_append(array_remove(refused_scopes, $2), $2), scope_refused_at = now()
           where token_stream_id = $1"#,
        token_stream_id.get(),
        scope
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Whether the scope stands there as refused.
pub(super) async fn set_used(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    scope: &str,
) -> Result<bool> {
    sqlx::query_scalar!(
        r#"update token_stream set last_used_at = now() where token_stream_id = $1
           returning $2 = any (refused_scopes) as "was_refused!""#,
        token_stream_id.get(),
        scope
    )
    .fetch_optional(connection)
    .await
    .map(Option::unwrap_or_default)
}

pub(super) async fn accept_scope(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    scope: &str,
) -> Result<()> {
    sqlx::query!(
        r#"update token_stream
           set refused_scopes = array_remove(refused_scopes, $2),
               scope_refused_at = case when array_remove(refused_scopes, $2) <> '{}' then scope_refused_at end
           where token_stream_id = $1"#,
        token_stream_id.get(),
        scope
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn record_unopenable(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    why: &str,
) -> Result<()> {
    sqlx::query!(
        r#"update token_stream set last_error_code = 'unopenable',
               first_error_at = case when last_error_code = 'unopenable' then coalesce(first_error_at, now())
                                     else now() end,
               last_error = $2, last_error_at = now()
           where token_stream_id = $1"#,
        token_stream_id.get(),
        why
    )
    .execute(connection)
    .await
    .map(|_| ())
}
