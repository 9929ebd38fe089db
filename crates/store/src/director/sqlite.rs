use std::time::Duration;

use domain::token::CORPORATION_LIST_SCOPE;
use domain::{CharacterId, CorporationId};
use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use crate::sqlite::{earlier, later, now_text};

pub(super) async fn directors(
    connection: &mut SqliteConnection,
    corporation_id: CorporationId,
    limit: u32,
    refused_for: Duration,
) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "select character_id from character c
         where corporation_id = ?1
           and exists (select 1 from token_stream s
                       where s.character_id = c.character_id and s.state in ('active', 'suspect')
                         and ?2 in (select value from json_each(s.granted_scopes))
                         and not (?2 in (select value from json_each(s.refused_scopes))
                                  and s.scope_refused_at between ?3 and ?4))
         order by director_at nulls last, character_id
         limit ?5",
    )
    .bind(corporation_id.get())
    .bind(CORPORATION_LIST_SCOPE)
    .bind(earlier(refused_for))
    .bind(later(refused_for))
    .bind(limit)
    .fetch_all(connection)
    .await
}

pub(super) async fn set_director(connection: &mut SqliteConnection, character_id: CharacterId) -> Result<()> {
    sqlx::query("update character set director_at = ?2 where character_id = ?1")
        .bind(character_id.get())
        .bind(now_text())
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn unset_director(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    is_affiliation_due: bool,
) -> Result<()> {
    sqlx::query(
        "update character set director_at = null, affiliation_due_at = iif(?2, ?3, affiliation_due_at)
         where character_id = ?1",
    )
    .bind(character_id.get())
    .bind(is_affiliation_due)
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn refuse(connection: &mut SqliteConnection, character_id: CharacterId) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "update token_stream
         set refused_scopes = (select json_group_array(value)
                               from (select value from json_each(refused_scopes) where value <> ?2
                                     union all select ?2)),
             scope_refused_at = ?3
         where character_id = ?1 and ?2 in (select value from json_each(granted_scopes))
         returning token_stream_id",
    )
    .bind(character_id.get())
    .bind(CORPORATION_LIST_SCOPE)
    .bind(now_text())
    .fetch_all(connection)
    .await
}
