use domain::CorporationId;
use domain::token::CORPORATION_LIST_SCOPE;
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::CorporationListed;
use crate::due::DueFilter;
use crate::lease;
use crate::sqlite::{earlier, now_text};

pub(super) async fn add(connection: &mut SqliteConnection, corporation_id: CorporationId) -> Result<bool> {
    let added = sqlx::query(
        "insert into corporation (corporation_id, created_at, next_sync_at) values (?1, ?2, ?2) on conflict do nothing",
    )
    .bind(corporation_id.get())
    .bind(now_text());
    Ok(added.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn add_of_logins(connection: &mut SqliteConnection) -> Result<u64> {
    let added = sqlx::query(
        "insert into corporation (corporation_id, created_at, next_sync_at)
         select distinct c.corporation_id, ?2, ?2
         from character c join token_stream s using (character_id)
         where c.corporation_id not between ?3 and ?4
           and s.state in ('active', 'suspect') and ?1 in (select value from json_each(s.granted_scopes))
         on conflict do nothing",
    )
    .bind(CORPORATION_LIST_SCOPE)
    .bind(now_text())
    .bind(CorporationId::NPC.start())
    .bind(CorporationId::NPC.end());
    Ok(added.execute(connection).await?.rows_affected())
}

pub(super) async fn remove(connection: &mut SqliteConnection, corporation_id: CorporationId) -> Result<bool> {
    let removed = sqlx::query("delete from corporation where corporation_id = ?1").bind(corporation_id.get());
    Ok(removed.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn list(connection: &mut SqliteConnection) -> Result<Vec<CorporationListed>> {
    sqlx::query_as(
        "select f.corporation_id,
                (select count(*) from character c
                 where c.corporation_id = f.corporation_id
                   and exists (select 1 from token_stream s
                               where s.character_id = c.character_id and s.state in ('active', 'suspect')
                                 and ?1 in (select value from json_each(s.granted_scopes)))) as members,
                f.directors, f.last_synced_at, f.next_sync_at, f.killmails_listed, f.last_verdict, f.last_reason
         from corporation_freshness f order by f.corporation_id",
    )
    .bind(CORPORATION_LIST_SCOPE)
    .fetch_all(connection)
    .await
}

pub(super) async fn claim_due(connection: &mut SqliteConnection, filter: DueFilter, limit: u32) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "update corporation set hinted_at = ?5, resume_page = iif(?2, 1, resume_page)
         where corporation_id in (
             select corporation_id from corporation
             where (?1 or next_sync_at <= ?5)
               and (list_expires_at is null or list_expires_at <= ?5 or (resume_page > 1 and not ?2))
               and (hinted_at is null or hinted_at <= ?3)
               and (lease_until is null or lease_until <= ?5)
             order by next_sync_at, corporation_id
             limit ?4)
         returning corporation_id",
    )
    .bind(filter.force)
    .bind(filter.full)
    .bind(earlier(lease::HINT_STALE_AFTER))
    .bind(limit)
    .bind(now_text())
    .fetch_all(connection)
    .await
}

pub(super) async fn count_due(connection: &mut SqliteConnection, filter: DueFilter) -> Result<i64> {
    sqlx::query_scalar(
        "select count(*) from corporation
         where (?1 or next_sync_at <= ?4)
           and (list_expires_at is null or list_expires_at <= ?4 or (resume_page > 1 and not ?2))
           and (hinted_at is null or hinted_at <= ?3)
           and (lease_until is null or lease_until <= ?4)",
    )
    .bind(filter.force)
    .bind(filter.full)
    .bind(earlier(lease::HINT_STALE_AFTER))
    .bind(now_text())
    .fetch_one(connection)
    .await
}

pub(super) async fn unmark(connection: &mut SqliteConnection, corporation_ids: &[i64]) -> Result<()> {
    sqlx::query(
        "update corporation set hinted_at = null
         where corporation_id in (select value from json_each(?1)) and (lease_until is null or lease_until <= ?2)",
    )
    .bind(Json(corporation_ids))
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}
