use domain::CorporationId;
use domain::token::CORPORATION_LIST_SCOPE;
use sqlx::{PgConnection, Result};

use super::CorporationListed;
use crate::due::DueFilter;
use crate::lease;

pub(super) async fn add(connection: &mut PgConnection, corporation_id: CorporationId) -> Result<bool> {
    let added = sqlx::query!(
        "insert into corporation (corporation_id) values ($1) on conflict do nothing",
        corporation_id.get()
    );
    Ok(added.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn add_of_logins(connection: &mut PgConnection) -> Result<u64> {
    let added = sqlx::query!(
        r#"insert into corporation (corporation_id)
           select distinct c.corporation_id
           from character c join token_stream s using (character_id)
           where c.corporation_id not between $2 and $3
             and s.state in ('active', 'suspect') and $1 = any (s.granted_scopes)
           on conflict do nothing"#,
        CORPORATION_LIST_SCOPE,
        CorporationId::NPC.start(),
        CorporationId::NPC.end()
    );
    Ok(added.execute(connection).await?.rows_affected())
}

pub(super) async fn remove(connection: &mut PgConnection, corporation_id: CorporationId) -> Result<bool> {
    let removed = sqlx::query!("delete from corporation where corporation_id = $1", corporation_id.get());
    Ok(removed.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn list(connection: &mut PgConnection) -> Result<Vec<CorporationListed>> {
    sqlx::query_as!(
        CorporationListed,
        r#"select f.corporation_id as "corporation_id!",
                  (select count(*) from character c
                   where c.corporation_id = f.corporation_id
                     and exists (select from token_stream s
                                 where s.character_id = c.character_id and s.state in ('active', 'suspect')
                                   and $1 = any (s.granted_scopes))) as "members!",
                  f.directors as "directors!", f.last_synced_at, f.next_sync_at as "next_sync_at!",
                  f.killmails_listed as "killmails_listed!", f.last_verdict, f.last_reason
           from corporation_freshness f order by f.corporation_id"#,
        CORPORATION_LIST_SCOPE
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn claim_due(connection: &mut PgConnection, filter: DueFilter, limit: u32) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"with due as (
               select corporation_id from corporation
               where ($1 or next_sync_at <= now())
                 and (list_expires_at is null or list_expires_at <= now() or (resume_page > 1 and not $2))
                 and (hinted_at is null or hinted_at <= now() - make_interval(secs => $3))
                 and (lease_until is null or lease_until <= now())
               order by next_sync_at, corporation_id
               limit $4
               for update skip locked)
           update corporation c
           set hinted_at = now(), resume_page = case when $2 then 1 else c.resume_page end
           from due where due.corporation_id = c.corporation_id
           returning c.corporation_id"#,
        filter.force,
        filter.full,
        lease::seconds(lease::HINT_STALE_AFTER),
        i64::from(limit)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn count_due(connection: &mut PgConnection, filter: DueFilter) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from corporation
           where ($1 or next_sync_at <= now())
             and (list_expires_at is null or list_expires_at <= now() or (resume_page > 1 and not $2))
             and (hinted_at is null or hinted_at <= now() - make_interval(secs => $3))
             and (lease_until is null or lease_until <= now())"#,
        filter.force,
        filter.full,
        lease::seconds(lease::HINT_STALE_AFTER)
    )
    .fetch_one(connection)
    .await
}

pub(super) async fn unmark(connection: &mut PgConnection, corporation_ids: &[i64]) -> Result<()> {
    sqlx::query!(
        r#"update corporation set hinted_at = null
           where corporation_id = any($1) and (lease_until is null or lease_until <= now())"#,
        corporation_ids
    )
    .execute(connection)
    .await
    .map(|_| ())
}
