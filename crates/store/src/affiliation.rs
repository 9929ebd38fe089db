//! In which corporation a character is, as far as somebody has to know: only for characters with a login for corporation
//! lists, and only while there are such lists to be read.

mod postgres;
mod sqlite;

use std::time::Duration;

use domain::{Affiliation, CharacterId};

use crate::access::dialect;
use crate::{Store, StoreError, lease};

/// A pilot changes the corporation rarely, and when ESI says that he is not in it any more it is asked at once.
const LEARNED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

impl Store {
    /// Up to `limit` characters of which it is to be asked in which corporation they are. They are not due again before
    /// a hint would be stale. Unless it is `for_any` corporation, nobody is due as long as none was added.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_due_affiliations(&self, for_any: bool, limit: u32) -> Result<Vec<CharacterId>, StoreError> {
        let mut access = self.change("claiming affiliations that are to be learned").await?;
        let claimed = dialect!(access, claim_due(for_any, limit, lease::HINT_STALE_AFTER))?;
        access.commit().await?;
        claimed.into_iter().map(|id| CharacterId::parse(id).map_err(StoreError::unexpected)).collect()
    }

    /// It is to be asked of them again after so long.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_off_affiliations(&self, ids: &[CharacterId], delay: Duration) -> Result<(), StoreError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        let mut access = self.change("putting affiliations off").await?;
        dialect!(access, put_off(&ids, delay))?;
        access.commit().await
    }

    /// Saves what ESI has said; it is asked again a day later. Who has changed the corporation has not been refused the
    /// list of the new one yet, which is due at once: it may have waited for a director.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn save_affiliations(&self, affiliations: &[Affiliation]) -> Result<(), StoreError> {
        let mut affiliations: Vec<(i64, i64)> =
            affiliations.iter().map(|it| (it.character_id.get(), it.corporation_id.get())).collect();
        // In one order everywhere, so that nobody waits for another in a circle.
        affiliations.sort_unstable();
        let (characters, corporations): (Vec<i64>, Vec<i64>) = affiliations.into_iter().unzip();
        let mut transaction = self.transaction("saving affiliations").await?;
        dialect!(transaction, forgive_those_who_changed(&characters, &corporations))?;
        dialect!(transaction, wake_corporations_of_those_who_changed(&characters, &corporations))?;
        dialect!(transaction, save(&characters, &corporations, LEARNED_EVERY))?;
        transaction.commit().await
    }
}
