use std::time::Duration;

use domain::CharacterId;
use sqlx::{PgConnection, Result};

use super::{DueCursor, DueFilter, DueRow};
use crate::lease;

pub(super) async fn due_characters(
    connection: &mut PgConnection,
    filter: DueFilter,
    after: Option<DueCursor>,
    limit: u32,
) -> Result<Vec<DueRow>> {
    sqlx::query_as!(
        DueRow,
        r#"select character_id, next_sync_at from character
           where ($1 or next_sync_at <= now())
             and (list_expires_at is null or list_expires_at <= now() or (resume_page > 1 and not $2))
             and (hinted_at is null or hinted_at <= now() - make_interval(secs => $3))
             and (lease_until is null or lease_until <= now())
             and ($4::bigint is null or character_id = $4)
             and ($5::timestamptz is null or (next_sync_at, character_id) > ($5, $6))
           order by next_sync_at, character_id
           limit $7"#,
        filter.force,
        filter.full,
        lease::seconds(lease::HINT_STALE_AFTER),
        filter.character_id.map(CharacterId::get),
        after.map(|cursor| cursor.0),
        after.map_or(0, |cursor| cursor.1),
        i64::from(limit)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn claim_characters(
    connection: &mut PgConnection,
    filter: DueFilter,
    character_ids: &[i64],
) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"with free as (
               select character_id from character
               where character_id = any($1)
                 and ($2 or next_sync_at <= now())
                 and (list_expires_at is null or list_expires_at <= now() or (resume_page > 1 and not $3))
                 and (hinted_at is null or hinted_at <= now() - make_interval(secs => $4))
                 and (lease_until is null or lease_until <= now())
               for update skip locked)
           update character c
           set hinted_at = now(), resume_page = case when $3 then 1 else c.resume_page end
           from free where free.character_id = c.character_id
           returning c.character_id"#,
        character_ids,
        filter.force,
        filter.full,
        lease::seconds(lease::HINT_STALE_AFTER)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn unmark_characters(connection: &mut PgConnection, character_ids: &[i64]) -> Result<()> {
    sqlx::query!(
        r#"update character set hinted_at = null
           where character_id = any($1) and (lease_until is null or lease_until <= now())"#,
        character_ids
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn claim_killmails(connection: &mut PgConnection, limit: u32) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"with due as (
               select killmail_id from killmail_ref
               where state = 'wanted' and due_at <= now()
                 and (hinted_at is null or hinted_at <= now() - make_interval(secs => $2))
                 and (lease_until is null or lease_until <= now())
               order by (hinted_at is not null), due_at, killmail_id
               limit $1
               for update skip locked)
           update killmail_ref r set hinted_at = now()
           from due where due.killmail_id = r.killmail_id
           returning r.killmail_id"#,
        i64::from(limit),
        lease::seconds(lease::HINT_STALE_AFTER)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn count_killmails(connection: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from killmail_ref
           where state = 'wanted' and due_at <= now()
             and (hinted_at is null or hinted_at <= now() - make_interval(secs => $1))
             and (lease_until is null or lease_until <= now())"#,
        lease::seconds(lease::HINT_STALE_AFTER)
    )
    .fetch_one(connection)
    .await
}

pub(super) async fn unmark_killmails(connection: &mut PgConnection, killmail_ids: &[i64]) -> Result<()> {
    sqlx::query!(
        r#"with free as (
               select killmail_id from killmail_ref
               where killmail_id = any($1) and (lease_until is null or lease_until <= now())
               order by killmail_id
               for update)
           update killmail_ref r set hinted_at = null
           from free where free.killmail_id = r.killmail_id"#,
        killmail_ids
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Rows that another scheduler is just removing are its business.
pub(super) async fn prune_sync_runs(connection: &mut PgConnection, kept_for: Duration, limit: u32) -> Result<u64> {
    sqlx::query!(
        r#"with old as (
               select sync_run_id from sync_run where finished_at < now() - make_interval(secs => $1)
               order by finished_at limit $2 for update skip locked)
           delete from sync_run r using old where r.sync_run_id = old.sync_run_id"#,
        lease::seconds(kept_for),
        i64::from(limit)
    )
    .execute(connection)
    .await
    .map(|pruned| pruned.rows_affected())
}
