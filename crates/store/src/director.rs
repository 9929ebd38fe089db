//! Whose token a corporation's list is read with: a member's whose login may, and who is a director of it. ESI tells the
//! latter only when it is asked for the list, by a 403 that costs as much as two pages.

mod postgres;
mod sqlite;

use domain::token::{CORPORATION_LIST_SCOPE, SCOPE_PROBED_AFTER, TokenEvent};
use domain::{CharacterId, CorporationId, TokenStreamId};

use crate::access::dialect;
use crate::{Store, StoreError, token_event};

/// What ESI has refused the list of its corporation to a character for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoDirector {
    RoleMissing,
    /// It is asked at once where the character is now.
    NotInCorporation,
}

impl Store {
    /// Characters that may be asked with, at most `limit`: those that have been found to be directors first, the one that
    /// was not asked with for longest before the others; then those of which nothing is known. Without those that ESI has
    /// refused within the last day.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn directors_of(
        &self,
        corporation_id: CorporationId,
        limit: u32,
    ) -> Result<Vec<CharacterId>, StoreError> {
        let ids =
            dialect!(self.read("looking for directors").await?, directors(corporation_id, limit, SCOPE_PROBED_AFTER))?;
        ids.into_iter().map(|id| CharacterId::parse(id).map_err(StoreError::unexpected)).collect()
    }

    /// ESI has answered with the list of its corporation.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record_director(&self, character_id: CharacterId) -> Result<(), StoreError> {
        let mut access = self.change("recording a director").await?;
        dialect!(access, set_director(character_id))?;
        access.commit().await
    }

    /// ESI has refused the list of its corporation to this character: for a day none of its logins is asked with for it.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn refuse_director(&self, character_id: CharacterId, why: NoDirector) -> Result<(), StoreError> {
        let mut transaction = self.transaction("recording who is no director").await?;
        dialect!(transaction, unset_director(character_id, why == NoDirector::NotInCorporation))?;
        for id in dialect!(transaction, refuse(character_id))? {
            let token_stream_id = TokenStreamId::parse(id).map_err(StoreError::unexpected)?;
            let event = TokenEvent::ScopeRefused { scope: CORPORATION_LIST_SCOPE };
            token_event::record(&mut transaction, token_stream_id, event).await?;
        }
        transaction.commit().await
    }
}
