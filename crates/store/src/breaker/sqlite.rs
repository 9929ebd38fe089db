use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::TokenStreamId;
use domain::token::TokenEvent;
use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::{Counted, Row};
use crate::sqlite::{earlier, later, now_text, text};

pub(super) async fn is_open(connection: &mut SqliteConnection) -> Result<bool> {
    sqlx::query_scalar("select opened_at is not null from sso_breaker").fetch_one(connection).await
}

/// There is nothing to lock: the transaction is the only one that writes.
pub(super) async fn lock(connection: &mut SqliteConnection) -> Result<Row> {
    sqlx::query_as("select *, ?1 as now from sso_breaker").bind(now_text()).fetch_one(connection).await
}

pub(super) async fn count(
    connection: &mut SqliteConnection,
    window: Duration,
    closed_at: Option<DateTime<Utc>>,
) -> Result<Counted> {
    let turned_suspect = TokenEvent::TURNED_SUSPECT;
    sqlx::query_as(
        "select count(*) filter (where event = ?3) as granted,
                count(*) filter (where event in (?4, ?5)) as refused,
                count(*) filter (where event = ?6 and detail = ?7) as turned_suspect,
                count(*) filter (where (event = ?5 or (event = ?6 and detail = ?7))
                                   and (?2 is null or at > ?2)) as doubted_since_closed
         from token_event where at > ?1 and at <= ?8",
    )
    .bind(earlier(window))
    .bind(closed_at.map(text))
    .bind(TokenEvent::Refreshed.name())
    .bind(TokenEvent::Refused { code: "" }.name())
    .bind(TokenEvent::RefusalWithheld { code: "" }.name())
    .bind(turned_suspect.name())
    .bind(turned_suspect.detail())
    .bind(now_text())
    .fetch_one(connection)
    .await
}

pub(super) async fn open(connection: &mut SqliteConnection, reason: &str) -> Result<()> {
    sqlx::query(
        "update sso_breaker set opened_at = ?2, reason = ?1, canary_stream_id = null, canary_at = ?2,
                                canaries_refused = 0",
    )
    .bind(reason)
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn choose_canary(connection: &mut SqliteConnection) -> Result<Option<i64>> {
    sqlx::query_scalar(
        "select token_stream_id from token_stream
         where refresh_token_sealed is not null and state in ('active', 'suspect')
           and (lease_until is null or lease_until <= ?1)
         order by state, last_error_at nulls first, last_refreshed_at desc nulls last
         limit 1",
    )
    .bind(now_text())
    .fetch_optional(connection)
    .await
}

pub(super) async fn set_canary(connection: &mut SqliteConnection, token_stream_id: i64) -> Result<()> {
    sqlx::query("update sso_breaker set canary_stream_id = ?1, canary_at = ?2")
        .bind(token_stream_id)
        .bind(now_text())
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn is_canary(connection: &mut SqliteConnection, token_stream_id: TokenStreamId) -> Result<bool> {
    sqlx::query_scalar(
        "select exists (select 1 from sso_breaker where opened_at is not null and canary_stream_id = ?1)",
    )
    .bind(token_stream_id.get())
    .fetch_one(connection)
    .await
}

pub(super) async fn count_canary(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query("update sso_breaker set canaries_refused = canaries_refused + 1, canary_stream_id = null")
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn close_for(connection: &mut SqliteConnection, token_stream_id: TokenStreamId) -> Result<bool> {
    let closed = sqlx::query(
        "update sso_breaker set opened_at = null, closed_at = ?2, reason = null, canary_stream_id = null
         where opened_at is not null and canary_stream_id = ?1",
    )
    .bind(token_stream_id.get())
    .bind(now_text());
    Ok(closed.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn client_is_taken(connection: &mut SqliteConnection) -> Result<bool> {
    let taken = sqlx::query(
        "update sso_breaker set client_refusals = 0, client_refused_until = min(client_refused_until, ?1)
         where client_refusals > 0",
    )
    .bind(now_text());
    Ok(taken.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn client_refused(connection: &mut SqliteConnection, span: Duration) -> Result<()> {
    sqlx::query("update sso_breaker set client_refusals = client_refusals + 1, client_refused_until = ?1")
        .bind(later(span))
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn end_pause_unless_open(connection: &mut SqliteConnection, scope: &str) -> Result<()> {
    sqlx::query(
        "delete from fleet_pause
         where scope = ?1 and not exists (select 1 from sso_breaker where opened_at is not null)",
    )
    .bind(scope)
    .execute(connection)
    .await
    .map(|_| ())
}
