use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::TokenStreamId;
use domain::token::TokenEvent;
use sqlx::{PgConnection, Result};

use super::{Counted, Row};
use crate::lease;

pub(super) async fn is_open(connection: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar!(r#"select opened_at is not null as "is_open!" from sso_breaker"#).fetch_one(connection).await
}

pub(super) async fn lock(connection: &mut PgConnection) -> Result<Row> {
    sqlx::query_as!(
        Row,
        r#"select opened_at, closed_at, reason, canary_stream_id, canary_at, canaries_refused, client_refusals,
                  client_refused_until, clock_timestamp() as "now!"
           from sso_breaker for update"#
    )
    .fetch_one(connection)
    .await
}

/// A statement of its own, so that it sees what the holder of the lock before us has written. What lies in the future
/// was written under a wrong clock, and would count until then.
pub(super) async fn count(
    connection: &mut PgConnection,
    window: Duration,
    closed_at: Option<DateTime<Utc>>,
) -> Result<Counted> {
    let turned_suspect = TokenEvent::TURNED_SUSPECT;
    sqlx::query_as!(
        Counted,
        r#"select count(*) filter (where event = $3) as "granted!",
                  count(*) filter (where event in ($4, $5)) as "refused!",
                  count(*) filter (where event = $6 and detail = $7) as "turned_suspect!",
                  count(*) filter (where (event = $5 or (event = $6 and detail = $7))
                                     and ($2::timestamptz is null or at > $2)) as "doubted_since_closed!"
           from token_event where at > now() - make_interval(secs => $1) and at <= clock_timestamp()"#,
        lease::seconds(window),
        closed_at,
        TokenEvent::Refreshed.name(),
        TokenEvent::Refused { code: "" }.name(),
        TokenEvent::RefusalWithheld { code: "" }.name(),
        turned_suspect.name(),
        turned_suspect.detail()
    )
    .fetch_one(connection)
    .await
}

pub(super) async fn open(connection: &mut PgConnection, reason: &str) -> Result<()> {
    sqlx::query!(
        r#"update sso_breaker set opened_at = now(), reason = $1, canary_stream_id = null, canary_at = now(),
                                  canaries_refused = 0"#,
        reason
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn choose_canary(connection: &mut PgConnection) -> Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"select token_stream_id from token_stream
           where refresh_token_sealed is not null and state in ('active', 'suspect')
             and (lease_until is null or lease_until <= now())
           order by state, last_error_at nulls first, last_refreshed_at desc nulls last
           limit 1"#
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn set_canary(connection: &mut PgConnection, token_stream_id: i64) -> Result<()> {
    sqlx::query!("update sso_breaker set canary_stream_id = $1, canary_at = now()", token_stream_id)
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn is_canary(connection: &mut PgConnection, token_stream_id: TokenStreamId) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from sso_breaker
                          where opened_at is not null and canary_stream_id = $1) as "is_canary!""#,
        token_stream_id.get()
    )
    .fetch_one(connection)
    .await
}

pub(super) async fn count_canary(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("update sso_breaker set canaries_refused = canaries_refused + 1, canary_stream_id = null")
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn close_for(connection: &mut PgConnection, token_stream_id: TokenStreamId) -> Result<bool> {
    let closed = sqlx::query!(
        r#"update sso_breaker set opened_at = null, closed_at = clock_timestamp(), reason = null,
                                  canary_stream_id = null
           where opened_at is not null and canary_stream_id = $1"#,
        token_stream_id.get()
    );
    Ok(closed.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn client_is_taken(connection: &mut PgConnection) -> Result<bool> {
    let taken = sqlx::query!(
        r#"update sso_breaker set client_refusals = 0, client_refused_until = least(client_refused_until, now())
           where client_refusals > 0"#
    );
    Ok(taken.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn client_refused(connection: &mut PgConnection, span: Duration) -> Result<()> {
    sqlx::query!(
        r#"update sso_breaker set client_refusals = client_refusals + 1,
                                  client_refused_until = now() + make_interval(secs => $1)"#,
        lease::seconds(span)
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn end_pause_unless_open(connection: &mut PgConnection, scope: &str) -> Result<()> {
    sqlx::query!(
        "delete from fleet_pause where scope = $1 and not exists (select from sso_breaker where opened_at is not null)",
        scope
    )
    .execute(connection)
    .await
    .map(|_| ())
}
