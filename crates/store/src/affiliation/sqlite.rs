use std::time::Duration;

use domain::token::CORPORATION_LIST_SCOPE;
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use crate::sqlite::{later, now_text};

pub(super) async fn claim_due(
    connection: &mut SqliteConnection,
    for_any: bool,
    limit: u32,
    again_in: Duration,
) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "update character set affiliation_due_at = ?4
         where character_id in (
             select character_id from character c
             where (affiliation_due_at is null or affiliation_due_at <= ?5)
               and (?1 or exists (select 1 from corporation))
               and exists (select 1 from token_stream s
                           where s.character_id = c.character_id and s.state in ('active', 'suspect')
                             and ?2 in (select value from json_each(s.granted_scopes)))
             order by affiliation_due_at nulls first, character_id
             limit ?3)
         returning character_id",
    )
    .bind(for_any)
    .bind(CORPORATION_LIST_SCOPE)
    .bind(limit)
    .bind(later(again_in))
    .bind(now_text())
    .fetch_all(connection)
    .await
}

pub(super) async fn put_off(connection: &mut SqliteConnection, character_ids: &[i64], delay: Duration) -> Result<()> {
    sqlx::query("update character set affiliation_due_at = ?2 where character_id in (select value from json_each(?1))")
        .bind(Json(character_ids))
        .bind(later(delay))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Side by side, as one JSON text.
fn json(characters: &[i64], corporations: &[i64]) -> Json<Vec<(i64, i64)>> {
    Json(characters.iter().copied().zip(corporations.iter().copied()).collect())
}

pub(super) async fn forgive_those_who_changed(
    connection: &mut SqliteConnection,
    characters: &[i64],
    corporations: &[i64],
) -> Result<()> {
    sqlx::query(
        "update token_stream
         set refused_scopes = (select json_group_array(value) from json_each(refused_scopes) where value <> ?2),
             scope_refused_at =
                 iif(exists (select 1 from json_each(refused_scopes) where value <> ?2), scope_refused_at, null)
         where ?2 in (select value from json_each(refused_scopes))
           and character_id in (select c.character_id from json_each(?1) told
                                join character c on c.character_id = told.value ->> 0
                                where c.corporation_id is not told.value ->> 1)",
    )
    .bind(json(characters, corporations))
    .bind(CORPORATION_LIST_SCOPE)
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn wake_corporations_of_those_who_changed(
    connection: &mut SqliteConnection,
    characters: &[i64],
    corporations: &[i64],
) -> Result<()> {
    sqlx::query(
        "update corporation set next_sync_at = min(next_sync_at, ?2)
         where corporation_id in (select told.value ->> 1 from json_each(?1) told
                                  join character c on c.character_id = told.value ->> 0
                                  where c.corporation_id is not told.value ->> 1)",
    )
    .bind(json(characters, corporations))
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn save(
    connection: &mut SqliteConnection,
    characters: &[i64],
    corporations: &[i64],
    again_in: Duration,
) -> Result<()> {
    sqlx::query(
        "update character
         set corporation_id = told.value ->> 1, affiliation_due_at = ?2,
             director_at = iif(corporation_id = told.value ->> 1, director_at, null)
         from json_each(?1) told where character_id = told.value ->> 0",
    )
    .bind(json(characters, corporations))
    .bind(later(again_in))
    .execute(connection)
    .await
    .map(|_| ())
}
