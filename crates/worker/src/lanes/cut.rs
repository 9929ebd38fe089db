//! A list job that comes to no end: why, and what its row remembers.

use domain::token::NoToken;
use domain::{Failure, Job, Tries, Verdict};
use store::StoreError;
use store::list_job::ListClaim;
use store::token_stream::AccessToken;

use crate::good_token::TokenSearch;
use crate::worker::Worker;

/// Why a list could not be worked through.
pub(crate) enum Cut {
    /// The reason of the character's tokens: the message is acknowledged, and the next tick looks at the row anew.
    Skip(NoToken),
    Failed(Failure),
    /// This process is to stop: another one shall go on.
    Stopped,
}

impl Cut {
    pub(crate) fn unless_found(search: TokenSearch) -> Result<AccessToken, Self> {
        match search {
            TokenSearch::Found(token) => Ok(token),
            TokenSearch::Nothing(reason) => Err(Self::Skip(reason)),
            TokenSearch::Failed(failure) => Err(Self::Failed(failure)),
            TokenSearch::Stopped => Err(Self::Stopped),
        }
    }

    /// Finishes the row. `again` is the job that another process shall do when this one stops.
    pub(crate) async fn finish(
        self,
        worker: &Worker,
        claim: &ListClaim,
        again: Job,
        follow_ups: &mut Vec<Job>,
    ) -> Result<Verdict, StoreError> {
        let verdict = match self {
            Self::Skip(reason) => Verdict::skipped(reason.name()),
            Self::Failed(failure) => {
                let tries = Tries { attempts: claim.attempt, refusals: 0 };
                domain::failure::decide(&failure, tries, rand::random())
            }
            Self::Stopped => {
                if worker.store().hand_over_list(claim).await? {
                    follow_ups.push(again);
                }
                return Ok(Verdict::skipped("this worker stops: another one goes on"));
            }
        };
        worker.store().finish_list(claim, &verdict).await?;
        Ok(verdict)
    }
}
