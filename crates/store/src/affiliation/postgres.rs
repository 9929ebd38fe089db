use std::time::Duration;

use domain::token::CORPORATION_LIST_SCOPE;
use sqlx::{PgConnection, Result};

use crate::lease;

pub(super) async fn claim_due(
    connection: &mut PgConnection,
    for_any: bool,
    limit: u32,
    again_in: Duration,
) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"with due as (
               select character_id from character c
               where (affiliation_due_at is null or affiliation_due_at <= now())
                 and ($1 or exists (select from corporation))
                 and exists (select from token_stream s
                             where s.character_id = c.character_id and s.state in ('active', 'suspect')
                               and $2 = any (s.granted_scopes))
               order by affiliation_due_at nulls first, character_id
               limit $3
               for update skip locked)
           update character c set affiliation_due_at = now() + make_interval(secs => $4)
           from due where due.character_id = c.character_id
           returning c.character_id"#,
        for_any,
        CORPORATION_LIST_SCOPE,
        i64::from(limit),
        lease::seconds(again_in)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn put_off(connection: &mut PgConnection, character_ids: &[i64], delay: Duration) -> Result<()> {
    sqlx::query!(
        "update character set affiliation_due_at = now() + make_interval(secs => $2) where character_id = any($1)",
        character_ids,
        lease::seconds(delay)
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn forgive_those_who_changed(
    connection: &mut PgConnection,
    characters: &[i64],
    corporations: &[i64],
) -> Result<()> {
    sqlx::query!(
        r#"update token_stream s
           set refused_scopes = array_remove(refused_scopes, $3),
               scope_refused_at = case when array_remove(refused_scopes, $3) <> '{}' then scope_refused_at end
           from unnest($1::bigint[], $2::bigint[]) as told (character_id, corporation_id)
           join character c using (character_id)
           where s.character_id = c.character_id and $3 = any (s.refused_scopes)
             and c.corporation_id is distinct from told.corporation_id"#,
        characters,
        corporations,
        CORPORATION_LIST_SCOPE
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn wake_corporations_of_those_who_changed(
    connection: &mut PgConnection,
    characters: &[i64],
    corporations: &[i64],
) -> Result<()> {
    sqlx::query!(
        r#"update corporation set next_sync_at = least(next_sync_at, now())
           where corporation_id in (
               select told.corporation_id
               from unnest($1::bigint[], $2::bigint[]) as told (character_id, corporation_id)
               join character c using (character_id)
               where c.corporation_id is distinct from told.corporation_id)"#,
        characters,
        corporations
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn save(
    connection: &mut PgConnection,
    characters: &[i64],
    corporations: &[i64],
    again_in: Duration,
) -> Result<()> {
    sqlx::query!(
        r#"update character c
           set corporation_id = told.corporation_id, affiliation_due_at = now() + make_interval(secs => $3),
               director_at = case when c.corporation_id = told.corporation_id then c.director_at end
           from unnest($1::bigint[], $2::bigint[]) as told (character_id, corporation_id)
           where c.character_id = told.character_id"#,
        characters,
        corporations,
        lease::seconds(again_in)
    )
    .execute(connection)
    .await
    .map(|_| ())
}
