//! The scheduler's side: what is due, and the claim that puts at most one hint per row into the broker.
//!
//! Load, decide, claim: due characters are read without being touched, the rule in `domain::plan` decides, and one
//! statement marks those that are to be queued. It asks the conditions again, under row locks that other schedulers
//! skip, so two ticks at once never queue a character twice. A mark whose hint was lost goes stale after
//! [`lease::HINT_STALE_AFTER`](crate::lease::HINT_STALE_AFTER).

mod postgres;
mod sqlite;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::plan::DueCharacter;
use domain::token::LIST_SCOPE;
use domain::{CharacterId, KillmailId};

use crate::access::dialect;
use crate::prune::in_batches;
use crate::{Store, StoreError};

/// Which characters a tick looks at.
#[derive(Debug, Clone, Copy, Default)]
pub struct DueFilter {
    /// Whatever their tier says; never before ESI's Expires.
    pub force: bool,
    /// All pages, also of lists that were seen to their end.
    pub full: bool,
    pub character_id: Option<CharacterId>,
}

/// Where the next page of due characters begins.
#[derive(Debug, Clone, Copy)]
pub struct DueCursor(DateTime<Utc>, i64);

/// Some of the due characters, those that have waited longest first.
#[derive(Debug)]
pub struct DuePage {
    pub characters: Vec<DueCharacter>,
    pub now: DateTime<Utc>,
    /// None when this was the last page.
    pub next: Option<DueCursor>,
}

/// Records of list walks are kept for 30 days.
const SYNC_RUN_KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Store {
    /// # Errors
    /// When the database does not answer.
    pub async fn due_characters(
        &self,
        filter: DueFilter,
        after: Option<DueCursor>,
        limit: u32,
    ) -> Result<DuePage, StoreError> {
        let now = self.now().await?;
        let rows = dialect!(self.read("looking for due characters").await?, due_characters(filter, after, limit))?;
        let is_last_page = rows.len() < limit as usize;
        let next = rows.last().filter(|_| !is_last_page).map(|row| DueCursor(row.next_sync_at, row.character_id));
        let ids: Vec<CharacterId> = rows
            .iter()
            .map(|row| CharacterId::parse(row.character_id).map_err(StoreError::unexpected))
            .collect::<Result<_, _>>()?;
        let mut streams = self.streams_of_all(&ids, LIST_SCOPE).await?;
        let characters = ids
            .into_iter()
            .map(|character_id| DueCharacter {
                character_id,
                streams: streams.remove(&character_id).unwrap_or_default(),
            })
            .collect();
        Ok(DuePage { characters, now, next })
    }

    /// Marks these characters as hinted and returns those that nobody else has taken meanwhile.
    ///
    /// # Errors
    /// When the database does not answer: then none is marked.
    pub async fn claim_due_characters(
        &self,
        filter: DueFilter,
        character_ids: &[CharacterId],
    ) -> Result<Vec<CharacterId>, StoreError> {
        let ids: Vec<i64> = character_ids.iter().map(|id| id.get()).collect();
        let mut access = self.change("claiming due characters").await?;
        let claimed = dialect!(access, claim_characters(filter, &ids))?;
        access.commit().await?;
        claimed.into_iter().map(|id| CharacterId::parse(id).map_err(StoreError::unexpected)).collect()
    }

    /// Takes back the marks of hints that the broker did not confirm.
    ///
    /// # Errors
    /// When the database does not answer: the marks go stale by themselves.
    pub async fn unmark_characters(&self, character_ids: &[CharacterId]) -> Result<(), StoreError> {
        let ids: Vec<i64> = character_ids.iter().map(|id| id.get()).collect();
        let mut access = self.change("taking back hints of characters").await?;
        dialect!(access, unmark_characters(&ids))?;
        access.commit().await
    }

    /// Marks up to `limit` wanted killmails that nobody works on as hinted: those without any hint first,
    /// then those that have waited longest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_due_killmails(&self, limit: u32) -> Result<Vec<KillmailId>, StoreError> {
        let mut access = self.change("claiming wanted killmails").await?;
        let claimed = dialect!(access, claim_killmails(limit))?;
        access.commit().await?;
        claimed.into_iter().map(|id| KillmailId::parse(id).map_err(StoreError::unexpected)).collect()
    }

    /// How many killmails [`Store::claim_due_killmails`] would find, for a look without a touch.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_due_killmails(&self) -> Result<u64, StoreError> {
        let count = dialect!(self.read("counting wanted killmails").await?, count_killmails())?;
        u64::try_from(count).map_err(StoreError::unexpected)
    }

    /// Takes back the marks of hints that the broker did not confirm.
    ///
    /// # Errors
    /// When the database does not answer: the marks go stale by themselves.
    pub async fn unmark_killmails(&self, killmail_ids: &[KillmailId]) -> Result<(), StoreError> {
        let ids: Vec<i64> = killmail_ids.iter().map(|id| id.get()).collect();
        let mut access = self.change("taking back hints of killmails").await?;
        dialect!(access, unmark_killmails(&ids))?;
        access.commit().await
    }

    /// Removes records of list walks that are older than 30 days; returns how many. After a long standstill the rest is
    /// left to the next tick.
    ///
    /// # Errors
    /// When the database does not answer: what was removed before stays so.
    pub async fn prune_sync_runs(&self) -> Result<u64, StoreError> {
        in_batches(async |limit| {
            let mut access = self.change("removing old records of list walks").await?;
            let pruned = dialect!(access, prune_sync_runs(SYNC_RUN_KEPT_FOR, limit))?;
            access.commit().await?;
            Ok(pruned)
        })
        .await
    }
}

#[derive(sqlx::FromRow)]
struct DueRow {
    character_id: i64,
    next_sync_at: DateTime<Utc>,
}
