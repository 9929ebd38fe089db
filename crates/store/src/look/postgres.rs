use std::time::Duration;

use domain::TokenStreamId;
use sqlx::{PgConnection, Result};

use super::Asked;
use crate::lease;
use crate::token_stream::AccessToken;

pub(super) async fn asked(connection: &mut PgConnection) -> Result<Asked> {
    sqlx::query_as!(
        Asked,
        r#"select count(*) filter (where state = 'active' and expires_at > now()
                                     or access_token_sealed is null and expires_at is not null) as "streams!",
                  count(*) filter (where look_hinted_at > now() - interval '1 hour' and look_hinted_at <= now())
                      as "within_the_hour!",
                  max(look_hinted_at) filter (where look_hinted_at <= now()) as last_at,
                  now() as "now!"
           from token_stream"#
    )
    .fetch_one(connection)
    .await
}

pub(super) async fn due(
    connection: &mut PgConnection,
    look_after: Duration,
    again_after: Duration,
    limit: i64,
) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"select token_stream_id from token_stream
           where state = 'active'
             and (access_token_sealed is not null and expires_at > now()
                  and greatest(created_at, last_refreshed_at, last_used_at, looked_at)
                      <= now() - make_interval(secs => $1)
                  or access_token_sealed is null and expires_at is not null and refresh_token_sealed is not null)
             and (lease_until is null or lease_until <= now())
             and (look_hinted_at is null or look_hinted_at <= now() - make_interval(secs => $2)
                  or look_hinted_at > now())
           order by greatest(created_at, last_refreshed_at, last_used_at, looked_at), token_stream_id
           limit $3"#,
        lease::seconds(look_after),
        lease::seconds(again_after),
        limit
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn claim(connection: &mut PgConnection, ids: &[i64], again_after: Duration) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"with free as (
               select token_stream_id from token_stream
               where token_stream_id = any($1)
                 and (look_hinted_at is null or look_hinted_at <= now() - make_interval(secs => $2)
                      or look_hinted_at > now())
               for update skip locked)
           update token_stream s set look_hinted_at = now()
           from free where free.token_stream_id = s.token_stream_id
           returning s.token_stream_id"#,
        ids,
        lease::seconds(again_after)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn unmark(connection: &mut PgConnection, ids: &[i64]) -> Result<()> {
    sqlx::query!("update token_stream set look_hinted_at = null where token_stream_id = any($1)", ids)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Whether it has an access token, if it is due.
pub(super) async fn one(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    look_after: Duration,
) -> Result<Option<bool>> {
    sqlx::query_scalar!(
        r#"select access_token_sealed is not null as "has_access_token!" from token_stream
           where token_stream_id = $1 and state = 'active'
             and (access_token_sealed is not null and expires_at > now()
                  and greatest(created_at, last_refreshed_at, last_used_at, looked_at)
                      <= now() - make_interval(secs => $2)
                  or access_token_sealed is null and expires_at is not null and refresh_token_sealed is not null)"#,
        token_stream_id.get(),
        lease::seconds(look_after)
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn set_looked_at(connection: &mut PgConnection, token_stream_id: TokenStreamId) -> Result<()> {
    sqlx::query!("update token_stream set looked_at = now() where token_stream_id = $1", token_stream_id.get())
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn revoke(connection: &mut PgConnection, token: &AccessToken, why: &str) -> Result<bool> {
    let revoked = sqlx::query!(
        r#"update token_stream
           set access_token_sealed = null, last_error_code = 'access_revoked', last_error = $3,
               first_error_at = now(), last_error_at = now()
           where token_stream_id = $1 and expires_at = $2 and access_token_sealed is not null"#,
        token.token_stream_id.get(),
        token.expires_at,
        why
    );
    Ok(revoked.execute(connection).await?.rows_affected() == 1)
}
