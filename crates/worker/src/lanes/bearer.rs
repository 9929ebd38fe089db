//! Whose token a list is read with: the character's own; for a corporation, that of a director, who has to be found among
//! the members that have signed in.

use std::time::Duration;

use domain::{CharacterId, CorporationId, Failure, FailureClass, ListOwner};
use store::StoreError;
use store::director::NoDirector;
use store::pause::{scope_of_corporation_list, scope_of_list};
use store::token_stream::AccessToken;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::cut::Cut;
use crate::worker::Worker;

/// Members that are considered in one job; those that have been directors before come first.
const CANDIDATES_MAX: u32 = 20;
/// Logins whose refresh fails, before it is taken to be the provider's trouble, which all others would have too.
const TROUBLES_MAX: usize = 3;
/// Without one, until the next job looks again, which costs ESI nothing. Who joins makes the corporation due at once.
const NO_DIRECTOR_FOR: Duration = Duration::from_secs(15 * 60);

/// A token to read a list with, and what its calls are paid from.
#[derive(Debug)]
pub(super) struct Bearer {
    pub(super) owner: ListOwner,
    pub(super) character_id: CharacterId,
    pub(super) token: AccessToken,
    /// In the name of a pause.
    pub(super) bucket: String,
    is_use_recorded: bool,
}

impl Bearer {
    /// The cut says why there is none.
    pub(super) async fn find(
        worker: &Worker,
        owner: ListOwner,
        stop: &CancellationToken,
    ) -> Result<Result<Self, Cut>, StoreError> {
        match owner {
            ListOwner::Character(character_id) => Self::of(worker, owner, character_id, stop).await,
            ListOwner::Corporation(corporation_id) => Self::director_of(worker, corporation_id, stop).await,
        }
    }

    async fn of(
        worker: &Worker,
        owner: ListOwner,
        character_id: CharacterId,
        stop: &CancellationToken,
    ) -> Result<Result<Self, Cut>, StoreError> {
        let bucket = match owner {
            ListOwner::Character(_) => scope_of_list(character_id),
            ListOwner::Corporation(_) => scope_of_corporation_list(character_id),
        };
        // Asked first, so that no token is refreshed for a call that has to wait.
        if let Some(wait) = worker.pauses.wait_for_esi(worker.store(), &bucket).await? {
            return Ok(Err(Cut::Failed(wait)));
        }
        let found = Cut::unless_found(worker.good_token(character_id, owner.scope(), stop).await?);
        Ok(found.map(|token| Self { owner, character_id, token, bucket, is_use_recorded: false }))
    }

    /// One whose bucket or login has to wait, or is in trouble, is passed over for another.
    async fn director_of(
        worker: &Worker,
        corporation_id: CorporationId,
        stop: &CancellationToken,
    ) -> Result<Result<Self, Cut>, StoreError> {
        let mut shortest_wait: Option<(Duration, Failure)> = None;
        let mut troubles = Vec::new();
        for character_id in worker.store().directors_of(corporation_id, CANDIDATES_MAX).await? {
            match Self::of(worker, corporation_id.into(), character_id, stop).await? {
                Err(Cut::Skip(_)) => {}
                Err(Cut::Failed(failure)) => match failure.class {
                    FailureClass::Wait(wait) if shortest_wait.as_ref().is_none_or(|(shortest, _)| wait < *shortest) => {
                        shortest_wait = Some((wait, failure));
                    }
                    FailureClass::Wait(_) => {}
                    _ => {
                        troubles.push(failure);
                        if troubles.len() == TROUBLES_MAX {
                            break;
                        }
                    }
                },
                found_or_stopped => return Ok(found_or_stopped),
            }
        }
        if let Some(trouble) = troubles.pop() {
            return Ok(Err(Cut::Failed(trouble)));
        }
        let no_director =
            || Failure::is(FailureClass::Wait(NO_DIRECTOR_FOR), "no director of it has a login that serves");
        Ok(Err(Cut::Failed(shortest_wait.map_or_else(no_director, |(_, failure)| failure))))
    }

    /// ESI has answered with the list.
    pub(super) async fn was_accepted(&mut self, worker: &Worker) -> Result<(), StoreError> {
        if self.is_use_recorded {
            return Ok(());
        }
        self.is_use_recorded = true;
        if let ListOwner::Corporation(_) = self.owner {
            worker.store().record_director(self.character_id).await?;
        }
        worker.store().record_accepted(&self.token, self.owner.scope()).await
    }

    /// ESI refuses the scope of this login, although it was granted.
    pub(super) async fn scope_was_refused(&self, worker: &Worker) -> Result<(), StoreError> {
        let scope = self.owner.scope();
        warn!(
            scope,
            token_stream.id = self.token.token_stream_id.get(),
            "ESI refuses a scope of this login: left alone for a day"
        );
        worker.store().refuse_scope(&self.token, scope).await
    }

    /// ESI does not take this character for a director of the corporation.
    pub(super) async fn is_no_director(&self, worker: &Worker, why: NoDirector) -> Result<(), StoreError> {
        warn!(director.id = self.character_id.get(), ?why, "no director of {}: left alone for a day", self.owner);
        worker.store().refuse_director(self.character_id, why).await
    }
}
