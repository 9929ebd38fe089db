//! One character's killmail list as a job: claim it, finish it.
//!
//! What lies between, page by page, stands in [`list_page`](crate::list_page).

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{CharacterId, Counted, Verdict, tier};
use sqlx::{Postgres, Transaction};

use crate::lease::Claimant;
use crate::{Store, StoreError, lease};

/// A list that we alone may work on, until [`lease::LIST`] has passed since the last page.
#[derive(Debug)]
pub struct ListClaim {
    pub character_id: CharacterId,
    /// Counts this attempt, from 1.
    pub attempt: u32,
    pub resume_page: Option<u32>,
    /// How often, in this walk, a page that was promised has turned out not to exist.
    pub missing_pages: u32,
    /// ETag of page 1 as it was when the list was last seen to its end.
    pub etag: Option<String>,
    pub(crate) fence: i64,
    started_at: DateTime<Utc>,
    /// Of this walk, so far.
    pub(crate) pages: i32,
    pub(crate) references_new: i32,
    /// ETag of page 1 in this walk.
    pub(crate) first_etag: Option<String>,
}

/// A list that cannot be worked through is looked at again after this, however often it has failed.
const PARKED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Failed attempts in a row after which an unfinished walk begins again at the first page.
const START_OVER_AFTER: u32 = 4;

impl Store {
    /// None when there is nothing to do: the job is done, another worker has it, or ESI's copy has not expired.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_list(
        &self,
        character_id: CharacterId,
        claimant: Claimant,
    ) -> Result<Option<ListClaim>, StoreError> {
        let row = sqlx::query!(
            r#"update character
               set lease_until = now() + make_interval(secs => $4), lease_job_id = $2, fence = fence + 1,
                   attempt = attempt + 1
               where character_id = $1
                 and (lease_until is null or lease_until <= now() or ($3 and lease_job_id = $2))
                 and (hinted_at is not null or next_sync_at <= now())
                 and (list_expires_at is null or list_expires_at <= now() or resume_page > 1)
               returning attempt, resume_page, missing_pages, list_etag, fence, now() as "now!""#,
            character_id.get(),
            claimant.job_id,
            claimant.take_over,
            lease::seconds(lease::LIST)
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::during("claiming a list"))?;
        row.map(|row| {
            Ok(ListClaim {
                character_id,
                attempt: u32::try_from(row.attempt).map_err(StoreError::unexpected)?,
                resume_page: row.resume_page.map(u32::try_from).transpose().map_err(StoreError::unexpected)?,
                missing_pages: u32::try_from(row.missing_pages).map_err(StoreError::unexpected)?,
                etag: row.list_etag,
                fence: row.fence,
                started_at: row.now,
                pages: 0,
                references_new: 0,
                first_etag: None,
            })
        })
        .transpose()
    }

    /// Page 1 has not changed since the list was seen to its end, or a later page does not exist any more: the walk
    /// is at its end. False when the lease was lost.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn finish_walk(
        &self,
        claim: &ListClaim,
        unchanged: bool,
        lives_for: Duration,
        random: f64,
    ) -> Result<bool, StoreError> {
        let doing = "finishing a list";
        let mut transaction = self.pool.begin().await.map_err(StoreError::during(doing))?;
        let locked = sqlx::query!(
            r#"update character
               set list_expires_at = greatest(list_expires_at, now() + make_interval(secs => $3))
               where character_id = $1 and fence = $2 and lease_until is not null"#,
            claim.character_id.get(),
            claim.fence,
            lease::seconds(lives_for)
        )
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        if locked.rows_affected() == 0 {
            return Ok(false);
        }
        let etag = if unchanged { claim.etag.as_deref() } else { claim.first_etag.as_deref() };
        let progress = (claim.pages + 1, claim.references_new);
        end_walk(&mut transaction, claim, etag, progress, lives_for, random).await?;
        transaction.commit().await.map_err(StoreError::during(doing))?;
        Ok(true)
    }

    /// Remembers that the walk came to no end, and why; the row is due again when the verdict says so, at once if there
    /// is nothing to wait for, and a day later if it is parked: no character is given up. A walk that fails again and
    /// again at a later page starts over: what is new stands on the first. False when the lease was lost.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn finish_list(&self, claim: &ListClaim, verdict: &Verdict) -> Result<bool, StoreError> {
        let has_failed = matches!(verdict, Verdict::RetryAfter { counted: Counted::Attempt, .. });
        let starts_over = has_failed && claim.attempt >= START_OVER_AFTER;
        self.end_list(claim, verdict, starts_over, None).await
    }

    /// As [`Store::finish_list`], after a page that was promised turned out not to exist: the walk goes on at the page
    /// before it.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn finish_list_before(
        &self,
        claim: &ListClaim,
        verdict: &Verdict,
        missing_page: u32,
    ) -> Result<bool, StoreError> {
        self.end_list(claim, verdict, false, Some(missing_page.saturating_sub(1).max(1))).await
    }

    async fn end_list(
        &self,
        claim: &ListClaim,
        verdict: &Verdict,
        starts_over: bool,
        page_before_missing: Option<u32>,
    ) -> Result<bool, StoreError> {
        let (delay, counted) = match verdict {
            Verdict::RetryAfter { delay, counted, .. } => (*delay, *counted),
            Verdict::Parked { .. } => (PARKED_FOR, Counted::Refusal),
            Verdict::Done | Verdict::Skipped { .. } | Verdict::HandBack { .. } => (Duration::ZERO, Counted::Nothing),
        };
        let finished = sqlx::query!(
            r#"with finished as (
                   update character
                   set lease_until = null, hinted_at = null, next_sync_at = now() + make_interval(secs => $3),
                       attempt = attempt - case when $4 then 0 else 1 end, resume_page = case when $10 and resume_page > 1 then 1 else coalesce($11, resume_page) end,
                       missing_pages = missing_pages + case when $11::integer is null then 0 else 1 end,
                       last_verdict = $5, last_reason = $6, last_verdict_at = now()
                   where character_id = $1 and fence = $2 and lease_until is not null
                   returning character_id)
               insert into sync_run (character_id, started_at, verdict, reason, pages, references_new)
               select character_id, $7, $5, $6, $8, $9 from finished"#,
            claim.character_id.get(),
            claim.fence,
            lease::seconds(delay),
            counted != Counted::Nothing,
            verdict.name(),
            verdict.reason(),
            claim.started_at,
            claim.pages,
            claim.references_new,
            starts_over,
            page_before_missing.map(|page| i32::try_from(page).unwrap_or(i32::MAX))
        )
        .execute(&self.pool)
        .await
        .map_err(StoreError::during("recording what became of a list"))?;
        Ok(finished.rows_affected() == 1)
    }

    /// Gives the claim up with the character's hint still standing: the caller publishes its next job. False when the
    /// lease was lost.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn hand_over_list(&self, claim: &ListClaim) -> Result<bool, StoreError> {
        let handed_over = sqlx::query!(
            r#"update character set lease_until = null, hinted_at = now(), attempt = attempt - 1
               where character_id = $1 and fence = $2 and lease_until is not null"#,
            claim.character_id.get(),
            claim.fence
        )
        .execute(&self.pool)
        .await
        .map_err(StoreError::during("handing a list over"))?;
        Ok(handed_over.rows_affected() == 1)
    }
}

/// The list was seen to its end: when it is due again depends on its newest killmail.
pub(crate) async fn end_walk(
    transaction: &mut Transaction<'_, Postgres>,
    claim: &ListClaim,
    etag: Option<&str>,
    (pages, references_new): (i32, i32),
    lives_for: Duration,
    random: f64,
) -> Result<(), StoreError> {
    let doing = "finishing a list";
    let age_of_newest = sqlx::query_scalar!(
        r#"select extract(epoch from now() - k.killmail_time)::double precision as "age!"
           from character_killmail c join killmail k using (killmail_id)
           where c.character_id = $1 order by c.killmail_id desc limit 1"#,
        claim.character_id.get()
    )
    .fetch_optional(&mut **transaction)
    .await
    .map_err(StoreError::during(doing))?;
    // References that are new here have no stored body to tell their time by yet: somebody has just been busy.
    let since_last_kill = if references_new > 0 {
        Some(Duration::ZERO)
    } else {
        age_of_newest.map(|age| Duration::try_from_secs_f64(age).unwrap_or(Duration::ZERO))
    };
    let interval = tier::poll_interval(since_last_kill, random).max(lives_for);
    sqlx::query!(
        r#"with finished as (
               update character
               set resume_page = null, missing_pages = 0, list_etag = $3, lease_until = null, hinted_at = null, attempt = 0,
                   next_sync_at = now() + make_interval(secs => $4), last_synced_at = now(),
                   last_verdict = 'done', last_reason = null, last_verdict_at = now()
               where character_id = $1 and fence = $2 and lease_until is not null
               returning character_id)
           insert into sync_run (character_id, started_at, verdict, pages, references_new)
           select character_id, $5, 'done', $6, $7 from finished"#,
        claim.character_id.get(),
        claim.fence,
        etag,
        lease::seconds(interval),
        claim.started_at,
        pages,
        references_new
    )
    .execute(&mut **transaction)
    .await
    .map_err(StoreError::during(doing))?;
    Ok(())
}
