use std::time::Duration;

use domain::TokenStreamId;
use sqlx::{PgConnection, Result};

use super::{Asked, Unused};
use crate::lease;

pub(super) async fn asked(connection: &mut PgConnection, within: Duration) -> Result<Asked> {
    sqlx::query_as!(
        Asked,
        r#"select count(*) filter (where state in ('active', 'suspect')
                                     and refresh_token_sealed is not null) as "streams!",
                  count(*) filter (where exercise_hinted_at > now() - make_interval(secs => $1)
                                     and exercise_hinted_at <= now() + make_interval(secs => $1))
                      as "within_the_hour!",
                  max(exercise_hinted_at) filter (where exercise_hinted_at <= now() + make_interval(secs => $1))
                      as last_at,
                  now() as "now!"
           from token_stream"#,
        lease::seconds(within)
    )
    .fetch_one(connection)
    .await
}

/// Whoever may be due, which is for the rule to say; those that come behind the last one of the page before.
pub(super) async fn candidates(
    connection: &mut PgConnection,
    unused_for: Duration,
    again_after: Duration,
    after: Option<&Unused>,
    limit: u32,
) -> Result<Vec<Unused>> {
    sqlx::query_as!(
        Unused,
        r#"select token_stream_id, state, strikes, first_refused_at, next_probe_at,
                  unused_since as "unused_since!", now() as "now!"
           from (select *, coalesce(last_refreshed_at, created_at - interval '15 days') as unused_since
                 from token_stream) stream
           where refresh_token_sealed is not null
             and (lease_until is null or lease_until <= now())
             and (exercise_hinted_at is null or exercise_hinted_at <= now() - make_interval(secs => $2)
                  or exercise_hinted_at > now() + make_interval(secs => $2))
             and (state = 'suspect'
                  or state = 'active' and unused_since not between now() - make_interval(secs => $1) and now())
             and ($4::text is null
                  or (state = 'active', unused_since, token_stream_id) > ($4 = 'active', $5::timestamptz, $6::bigint))
           order by state = 'active', unused_since, token_stream_id
           limit $3"#,
        lease::seconds(unused_for),
        lease::seconds(again_after),
        i64::from(limit),
        after.map(|last| last.state.as_str()),
        after.map(|last| last.unused_since),
        after.map(|last| last.token_stream_id)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn claim(connection: &mut PgConnection, ids: &[i64], again_after: Duration) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"with free as (
               select token_stream_id from token_stream
               where token_stream_id = any($1)
                 and (exercise_hinted_at is null or exercise_hinted_at <= now() - make_interval(secs => $2)
                  or exercise_hinted_at > now() + make_interval(secs => $2))
               for update skip locked)
           update token_stream s set exercise_hinted_at = now()
           from free where free.token_stream_id = s.token_stream_id
           returning s.token_stream_id"#,
        ids,
        lease::seconds(again_after)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn unmark(connection: &mut PgConnection, ids: &[i64]) -> Result<()> {
    sqlx::query!("update token_stream set exercise_hinted_at = null where token_stream_id = any($1)", ids)
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn one(connection: &mut PgConnection, token_stream_id: TokenStreamId) -> Result<Option<Unused>> {
    sqlx::query_as!(
        Unused,
        r#"select token_stream_id, state, strikes, first_refused_at, next_probe_at,
                  coalesce(last_refreshed_at, created_at - interval '15 days') as "unused_since!", now() as "now!"
           from token_stream where token_stream_id = $1"#,
        token_stream_id.get()
    )
    .fetch_optional(connection)
    .await
}
