use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{CharacterId, Verdict};
use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::{Claimed, End, ListClaim};
use crate::lease::{self, Claimant};
use crate::sqlite::{later, now, now_text, text};

pub(super) async fn claim(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    claimant: Claimant,
) -> Result<Option<Claimed>> {
    sqlx::query_as(
        "update character
         set lease_until = ?4, lease_job_id = ?2, fence = fence + 1, attempt = attempt + 1
         where character_id = ?1
           and (lease_until is null or lease_until <= ?5 or (?3 and lease_job_id = ?2))
           and (hinted_at is not null or next_sync_at <= ?5)
           and (list_expires_at is null or list_expires_at <= ?5 or resume_page > 1)
         returning attempt, resume_page, missing_pages, full_walk_at is null or full_walk_at <= ?5 as is_full_walk_due,
                   list_etag, fence, ?5 as now",
    )
    .bind(character_id.get())
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
    let lengthened = sqlx::query(
        "update character set list_expires_at = max(coalesce(list_expires_at, ''), ?3)
         where character_id = ?1 and fence = ?2 and lease_until is not null",
    )
    .bind(claim.character_id.get())
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
    let ended = sqlx::query(
        "update character
         set lease_until = null, hinted_at = null, next_sync_at = ?3, attempt = attempt - iif(?4, 0, 1),
             resume_page = iif(?7 and resume_page > 1, 1, coalesce(?8, resume_page)),
             missing_pages = missing_pages + iif(?8 is null, 0, 1),
             last_verdict = ?5, last_reason = ?6, last_verdict_at = ?9
         where character_id = ?1 and fence = ?2 and lease_until is not null",
    )
    .bind(claim.character_id.get())
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
    sqlx::query(
        "insert into sync_run (character_id, started_at, finished_at, verdict, reason, pages, references_new)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(claim.character_id.get())
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
    let handed_over = sqlx::query(
        "update character set lease_until = null, hinted_at = ?3, attempt = attempt - 1
         where character_id = ?1 and fence = ?2 and lease_until is not null",
    )
    .bind(claim.character_id.get())
    .bind(claim.fence)
    .bind(now_text());
    Ok(handed_over.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn age_of_newest_seconds(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
) -> Result<Option<f64>> {
    let newest: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select k.killmail_time from character_killmail c join killmail k using (killmail_id)
         where c.character_id = ?1 order by c.killmail_id desc limit 1",
    )
    .bind(character_id.get())
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
    let ended = sqlx::query(
        "update character
         set resume_page = null, missing_pages = 0, list_etag = ?3, lease_until = null, hinted_at = null, attempt = 0,
             next_sync_at = ?4, last_synced_at = ?5, last_verdict = 'done', last_reason = null, last_verdict_at = ?5
         where character_id = ?1 and fence = ?2 and lease_until is not null",
    )
    .bind(claim.character_id.get())
    .bind(claim.fence)
    .bind(etag)
    .bind(later(interval))
    .bind(now_text());
    Ok(ended.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn set_full_walk_in(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    span: Duration,
) -> Result<()> {
    sqlx::query("update character set full_walk_at = ?2 where character_id = ?1")
        .bind(character_id.get())
        .bind(later(span))
        .execute(connection)
        .await
        .map(|_| ())
}
