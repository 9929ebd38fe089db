use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{ListOwner, Verdict};
use sqlx::{AssertSqlSafe, Result};
use sqlx_sqlite::SqliteConnection;

use super::{Claimed, End, ListClaim};
use crate::lease::{self, Claimant};
use crate::list_table::table_of;
use crate::sqlite::{later, now, now_text, text};

pub(super) async fn claim(
    connection: &mut SqliteConnection,
    owner: ListOwner,
    claimant: Claimant,
) -> Result<Option<Claimed>> {
    let list = table_of(owner);
    sqlx::query_as(AssertSqlSafe(format!(
        "update {list}
         set lease_until = ?4, lease_job_id = ?2, fence = fence + 1, attempt = attempt + 1
         where {list}_id = ?1
           and (lease_until is null or lease_until <= ?5 or (?3 and lease_job_id = ?2))
           and (hinted_at is not null or next_sync_at <= ?5)
           and (list_expires_at is null or list_expires_at <= ?5 or resume_page > 1)
         returning attempt, resume_page, missing_pages, full_walk_at is null or full_walk_at <= ?5 as is_full_walk_due,
                   list_etag, fence, ?5 as now"
    )))
    .bind(owner.id())
    .bind(claimant.job_id)
    .bind(claimant.take_over)
    .bind(later(lease::LIST))
    .bind(now_text())
    .fetch_optional(connection)
    .await
}

pub(super) async fn lengthen_expiry(
    connection: &mut SqliteConnection,
    claim: &ListClaim,
    lives_for: Duration,
) -> Result<bool> {
    let list = table_of(claim.owner);
    let lengthened = sqlx::query(AssertSqlSafe(format!(
        "update {list} set list_expires_at = max(coalesce(list_expires_at, ''), ?3)
         where {list}_id = ?1 and fence = ?2 and lease_until is not null"
    )))
    .bind(claim.owner.id())
    .bind(claim.fence)
    .bind(later(lives_for));
    Ok(lengthened.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn end(
    connection: &mut SqliteConnection,
    claim: &ListClaim,
    verdict: &Verdict,
    end: &End,
) -> Result<bool> {
    let list = table_of(claim.owner);
    let ended = sqlx::query(AssertSqlSafe(format!(
        "update {list}
         set lease_until = null, hinted_at = null, next_sync_at = ?3, attempt = attempt - iif(?4, 0, 1),
             resume_page = iif(?7 and resume_page > 1, 1, coalesce(?8, resume_page)),
             missing_pages = missing_pages + iif(?8 is null, 0, 1),
             last_verdict = ?5, last_reason = ?6, last_verdict_at = ?9
         where {list}_id = ?1 and fence = ?2 and lease_until is not null"
    )))
    .bind(claim.owner.id())
    .bind(claim.fence)
    .bind(later(end.delay))
    .bind(end.is_attempt_kept)
    .bind(verdict.name())
    .bind(verdict.reason())
    .bind(end.starts_over)
    .bind(end.page_before_missing)
    .bind(now_text());
    Ok(ended.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn record_run(
    connection: &mut SqliteConnection,
    claim: &ListClaim,
    verdict: &Verdict,
    (pages, references_new): (i32, i32),
) -> Result<()> {
    let list = table_of(claim.owner);
    sqlx::query(AssertSqlSafe(format!(
        "insert into sync_run ({list}_id, started_at, finished_at, verdict, reason, pages, references_new)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    )))
    .bind(claim.owner.id())
    .bind(text(claim.started_at))
    .bind(now_text())
    .bind(verdict.name())
    .bind(verdict.reason())
    .bind(pages)
    .bind(references_new)
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn hand_over(connection: &mut SqliteConnection, claim: &ListClaim) -> Result<bool> {
    let list = table_of(claim.owner);
    let handed_over = sqlx::query(AssertSqlSafe(format!(
        "update {list} set lease_until = null, hinted_at = ?3, attempt = attempt - 1
         where {list}_id = ?1 and fence = ?2 and lease_until is not null"
    )))
    .bind(claim.owner.id())
    .bind(claim.fence)
    .bind(now_text());
    Ok(handed_over.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn age_of_newest_seconds(connection: &mut SqliteConnection, owner: ListOwner) -> Result<Option<f64>> {
    let list = table_of(owner);
    let newest: Option<DateTime<Utc>> = sqlx::query_scalar(AssertSqlSafe(format!(
        "select k.killmail_time from {list}_killmail l join killmail k using (killmail_id)
         where l.{list}_id = ?1 order by l.killmail_id desc limit 1"
    )))
    .bind(owner.id())
    .fetch_optional(connection)
    .await?;
    Ok(newest.map(|newest| (now() - newest).as_seconds_f64()))
}

pub(super) async fn end_walk(
    connection: &mut SqliteConnection,
    claim: &ListClaim,
    etag: Option<&str>,
    interval: Duration,
) -> Result<bool> {
    let list = table_of(claim.owner);
    let ended = sqlx::query(AssertSqlSafe(format!(
        "update {list}
         set resume_page = null, missing_pages = 0, list_etag = ?3, lease_until = null, hinted_at = null, attempt = 0,
             next_sync_at = ?4, last_synced_at = ?5, last_verdict = 'done', last_reason = null, last_verdict_at = ?5
         where {list}_id = ?1 and fence = ?2 and lease_until is not null"
    )))
    .bind(claim.owner.id())
    .bind(claim.fence)
    .bind(etag)
    .bind(later(interval))
    .bind(now_text());
    Ok(ended.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn set_full_walk_in(
    connection: &mut SqliteConnection,
    owner: ListOwner,
    span: Duration,
) -> Result<()> {
    let list = table_of(owner);
    sqlx::query(AssertSqlSafe(format!("update {list} set full_walk_at = ?2 where {list}_id = ?1")))
        .bind(owner.id())
        .bind(later(span))
        .execute(connection)
        .await
        .map(|_| ())
}
