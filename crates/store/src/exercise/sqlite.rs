use std::time::Duration;

use domain::TokenStreamId;
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::{Asked, Unused};
use crate::sqlite::{earlier, later, now_text, text};

pub(super) async fn asked(connection: &mut SqliteConnection, within: Duration) -> Result<Asked> {
    sqlx::query_as(
        "select count(*) filter (where state in ('active', 'suspect') and refresh_token_sealed is not null) as streams,
                count(*) filter (where exercise_hinted_at > ?1 and exercise_hinted_at <= ?3) as within_the_hour,
                max(exercise_hinted_at) filter (where exercise_hinted_at <= ?3) as last_at, ?2 as now
         from token_stream",
    )
    .bind(earlier(within))
    .bind(now_text())
    .bind(later(within))
    .fetch_one(connection)
    .await
}

pub(super) async fn candidates(
    connection: &mut SqliteConnection,
    unused_for: Duration,
    again_after: Duration,
    after: Option<&Unused>,
    limit: u32,
) -> Result<Vec<Unused>> {
    sqlx::query_as(
        "select token_stream_id, state, strikes, first_refused_at, next_probe_at, unused_since, ?4 as now
         from (select *, coalesce(last_refreshed_at, strftime('%Y-%m-%dT%H:%M:%f000Z', created_at, '-15 days'))
                         as unused_since
               from token_stream)
         where refresh_token_sealed is not null
           and (lease_until is null or lease_until <= ?4)
           and (exercise_hinted_at is null or exercise_hinted_at <= ?2 or exercise_hinted_at > ?5)
           and (state = 'suspect'
                or state = 'active' and unused_since not between ?1 and ?4)
           and (?6 is null or (state = 'active', unused_since, token_stream_id) > (?6 = 'active', ?7, ?8))
         order by state = 'active', unused_since, token_stream_id
         limit ?3",
    )
    .bind(earlier(unused_for))
    .bind(earlier(again_after))
    .bind(limit)
    .bind(now_text())
    .bind(later(again_after))
    .bind(after.map(|last| &last.state))
    .bind(after.map(|last| text(last.unused_since)))
    .bind(after.map(|last| last.token_stream_id))
    .fetch_all(connection)
    .await
}

pub(super) async fn claim(connection: &mut SqliteConnection, ids: &[i64], again_after: Duration) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "update token_stream set exercise_hinted_at = ?3
         where token_stream_id in (select value from json_each(?1))
           and (exercise_hinted_at is null or exercise_hinted_at <= ?2 or exercise_hinted_at > ?4)
         returning token_stream_id",
    )
    .bind(Json(ids))
    .bind(earlier(again_after))
    .bind(now_text())
    .bind(later(again_after))
    .fetch_all(connection)
    .await
}

pub(super) async fn unmark(connection: &mut SqliteConnection, ids: &[i64]) -> Result<()> {
    sqlx::query(
        "update token_stream set exercise_hinted_at = null
         where token_stream_id in (select value from json_each(?1))",
    )
    .bind(Json(ids))
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn one(connection: &mut SqliteConnection, token_stream_id: TokenStreamId) -> Result<Option<Unused>> {
    sqlx::query_as(
        "select token_stream_id, state, strikes, first_refused_at, next_probe_at,
                coalesce(last_refreshed_at, strftime('%Y-%m-%dT%H:%M:%f000Z', created_at, '-15 days')) as unused_since, ?2 as now
         from token_stream where token_stream_id = ?1",
    )
    .bind(token_stream_id.get())
    .bind(now_text())
    .fetch_optional(connection)
    .await
}
