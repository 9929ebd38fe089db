//! One killmail list as a job: claim it, finish it.
//!
//! What lies between, page by page, stands in [`list_page`](crate::list_page).

mod postgres;
mod sqlite;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::tier::{self, Tiers};
use domain::{Counted, ListOwner, SyncMode, Verdict};

use crate::access::{Access, dialect};
use crate::lease::Claimant;
use crate::{Store, StoreError};

/// A list that we alone may work on, until [`lease::LIST`] has passed since the last page.
#[derive(Debug)]
pub struct ListClaim {
    pub owner: ListOwner,
    /// Counts this attempt, from 1.
    pub attempt: u32,
    pub resume_page: Option<u32>,
    /// How often, in this walk, a page that was promised has turned out not to exist.
    pub missing_pages: u32,
    /// All pages are to be walked, because that was last done long ago.
    pub is_full_walk_due: bool,
    /// Its pages may not fit together, because the list has changed while they were walked: all of them are walked again
    /// soon.
    pub is_torn: bool,
    /// How soon the list is looked at again once it was seen to its end.
    pub tiers: Tiers,
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

impl ListClaim {
    /// How far the walk is to go when nobody asks for more: an unfinished one goes to its end.
    #[must_use]
    pub fn mode(&self) -> SyncMode {
        if self.is_full_walk_due || self.resume_page.is_some() { SyncMode::Full } else { SyncMode::New }
    }
}

impl Store {
    /// None when there is nothing to do: the job is done, another worker has it, or ESI's copy has not expired.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_list(
        &self,
        owner: impl Into<ListOwner>,
        claimant: Claimant,
    ) -> Result<Option<ListClaim>, StoreError> {
        let owner = owner.into();
        let mut access = self.change("claiming a list").await?;
        let claimed = dialect!(access, claim(owner, claimant))?;
        access.commit().await?;
        let Some(row) = claimed else { return Ok(None) };
        Ok(Some(ListClaim {
            owner,
            attempt: u32::try_from(row.attempt).map_err(StoreError::unexpected)?,
            resume_page: row.resume_page.map(u32::try_from).transpose().map_err(StoreError::unexpected)?,
            missing_pages: u32::try_from(row.missing_pages).map_err(StoreError::unexpected)?,
            is_full_walk_due: row.is_full_walk_due,
            is_torn: false,
            tiers: Tiers::default(),
            etag: row.list_etag,
            fence: row.fence,
            started_at: row.now,
            pages: 0,
            references_new: 0,
            first_etag: None,
        }))
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
        let mut transaction = self.transaction("finishing a list").await?;
        if !dialect!(transaction, lengthen_expiry(claim, lives_for))? {
            return Ok(false);
        }
        let etag = if unchanged { claim.etag.as_deref() } else { claim.first_etag.as_deref() };
        // What has not changed was not walked.
        let mode = if unchanged { SyncMode::New } else { claim.mode() };
        let progress = (claim.pages + 1, claim.references_new);
        end_walk(&mut transaction, claim, mode, etag, progress, lives_for, random).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Remembers that the walk came to no end, and why; the row is due again when the verdict says so, at once if there
    /// is nothing to wait for, and a day later if it is parked: no character is given up. A walk that fails again and
    /// again at a later page starts over: what is new stands on the first. False when the lease was lost.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn finish_list(&self, claim: &ListClaim, verdict: &Verdict) -> Result<bool, StoreError> {
        let has_failed = matches!(verdict, Verdict::RetryAfter { counted: Counted::Attempt | Counted::Refusal, .. });
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
        let end = End {
            delay,
            is_attempt_kept: counted != Counted::Nothing,
            starts_over,
            page_before_missing: page_before_missing.map(|page| i32::try_from(page).unwrap_or(i32::MAX)),
        };
        let mut transaction = self.transaction("recording what became of a list").await?;
        let is_ours = dialect!(transaction, end(claim, verdict, &end))?;
        if is_ours {
            let progress = (claim.pages, claim.references_new);
            dialect!(transaction, record_run(claim, verdict, progress))?;
        }
        transaction.commit().await?;
        Ok(is_ours)
    }

    /// Gives the claim up with the hint still standing: the caller publishes its next job. False when the
    /// lease was lost.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn hand_over_list(&self, claim: &ListClaim) -> Result<bool, StoreError> {
        let mut access = self.change("handing a list over").await?;
        let is_ours = dialect!(access, hand_over(claim))?;
        access.commit().await?;
        Ok(is_ours)
    }
}

/// A claimed row.
#[derive(sqlx::FromRow)]
struct Claimed {
    attempt: i32,
    resume_page: Option<i32>,
    missing_pages: i32,
    is_full_walk_due: bool,
    list_etag: Option<String>,
    fence: i64,
    now: DateTime<Utc>,
}

/// How a walk that came to no end is put off.
struct End {
    delay: Duration,
    is_attempt_kept: bool,
    /// At the first page, if it has come further.
    starts_over: bool,
    /// Where the walk goes on after a page that turned out not to exist.
    page_before_missing: Option<i32>,
}

/// The list was seen to its end: when it is due again depends on its newest killmail.
pub(crate) async fn end_walk(
    transaction: &mut Access,
    claim: &ListClaim,
    mode: SyncMode,
    etag: Option<&str>,
    (pages, references_new): (i32, i32),
    lives_for: Duration,
    random: f64,
) -> Result<(), StoreError> {
    let age_of_newest = dialect!(*transaction, age_of_newest_seconds(claim.owner))?;
    // References that are new here have no stored body to tell their time by yet: somebody has just been busy.
    let since_last_kill = if references_new > 0 {
        Some(Duration::ZERO)
    } else {
        age_of_newest.map(|age| Duration::try_from_secs_f64(age).unwrap_or(Duration::ZERO))
    };
    let interval = claim.tiers.poll_interval(since_last_kill, random).max(lives_for);
    if dialect!(*transaction, end_walk(claim, etag, interval))? {
        if mode == SyncMode::Full || claim.is_torn {
            let again_in = tier::full_walk_interval(claim.is_torn, random);
            set_full_walk_in(transaction, claim.owner, again_in).await?;
        }
        dialect!(*transaction, record_run(claim, &Verdict::Done, (pages, references_new)))?;
    }
    Ok(())
}

/// After this, all pages are to be walked again.
pub(crate) async fn set_full_walk_in(
    transaction: &mut Access,
    owner: ListOwner,
    span: Duration,
) -> Result<(), StoreError> {
    dialect!(*transaction, set_full_walk_in(owner, span))?;
    Ok(())
}
