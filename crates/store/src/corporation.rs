//! Corporations whose killmail lists are read: as an operator adds and lists them, and as a tick finds them due.

mod postgres;
mod sqlite;

use chrono::{DateTime, Utc};
use domain::CorporationId;
use serde::Serialize;

use crate::access::dialect;
use crate::due::DueFilter;
use crate::{Store, StoreError};

#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct CorporationListed {
    pub corporation_id: i64,
    /// Characters known to be in it that have a login for corporation lists.
    pub members: i64,
    /// Those of them with whose tokens its list was read.
    pub directors: i64,
    pub last_synced_at: Option<DateTime<Utc>>,
    pub next_sync_at: DateTime<Utc>,
    pub killmails_listed: i64,
    pub last_verdict: Option<String>,
    pub last_reason: Option<String>,
}

impl Store {
    /// From now on its list is read. False when it was so before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_corporation(&self, corporation_id: CorporationId) -> Result<bool, StoreError> {
        let mut access = self.change("adding a corporation").await?;
        let added = dialect!(access, add(corporation_id))?;
        access.commit().await?;
        Ok(added)
    }

    /// Adds the corporations of all characters that have a login for corporation lists; returns how many are new. The
    /// game's own are not among them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_corporations_of_logins(&self) -> Result<u64, StoreError> {
        let mut access = self.change("adding the corporations of logins").await?;
        let added = dialect!(access, add_of_logins())?;
        access.commit().await?;
        Ok(added)
    }

    /// Removes a corporation with its list and the records of its walks; killmails stay, also those that are still
    /// wanted. False when there is no such corporation.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remove_corporation(&self, corporation_id: CorporationId) -> Result<bool, StoreError> {
        let mut access = self.change("removing a corporation").await?;
        let removed = dialect!(access, remove(corporation_id))?;
        access.commit().await?;
        Ok(removed)
    }

    /// # Errors
    /// When the database does not answer.
    pub async fn corporations(&self) -> Result<Vec<CorporationListed>, StoreError> {
        dialect!(self.read("listing the corporations").await?, list())
    }

    /// Marks up to `limit` corporations whose list is due as hinted, those that have waited longest first. Of the filter
    /// everything counts but the character.
    ///
    /// # Errors
    /// When the database does not answer: then none is marked.
    pub async fn claim_due_corporations(
        &self,
        filter: DueFilter,
        limit: u32,
    ) -> Result<Vec<CorporationId>, StoreError> {
        let mut access = self.change("claiming due corporations").await?;
        let claimed = dialect!(access, claim_due(filter, limit))?;
        access.commit().await?;
        claimed.into_iter().map(|id| CorporationId::parse(id).map_err(StoreError::unexpected)).collect()
    }

    /// How many corporations [`Store::claim_due_corporations`] would find, for a look without a touch.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_due_corporations(&self, filter: DueFilter) -> Result<u64, StoreError> {
        let count = dialect!(self.read("counting due corporations").await?, count_due(filter))?;
        u64::try_from(count).map_err(StoreError::unexpected)
    }

    /// Takes back the marks of hints that the broker did not confirm.
    ///
    /// # Errors
    /// When the database does not answer: the marks go stale by themselves.
    pub async fn unmark_corporations(&self, corporation_ids: &[CorporationId]) -> Result<(), StoreError> {
        let ids: Vec<i64> = corporation_ids.iter().map(|id| id.get()).collect();
        let mut access = self.change("taking back hints of corporations").await?;
        dialect!(access, unmark(&ids))?;
        access.commit().await
    }
}
