//! The list lane: claim the character, walk its list ([`walk`](super::walk)), ask for the bodies, finish.

use std::time::Duration;

use domain::token::NoToken;
use domain::{Counted, Failure, Job, Outcome, SyncList, Tries, Verdict};
use store::StoreError;
use store::list_job::ListClaim;
use store::token_stream::AccessToken;
use tracing::{Span, warn};

use super::walk::walk;
use super::{Delivery, record_attempt};
use crate::good_token::TokenSearch;
use crate::worker::Worker;

/// ESI's own time to live of killmail lists, for answers that do not say one.
pub(super) const LIST_LIVES_FOR: Duration = Duration::from_secs(300);
/// How often a page may turn out not to exist, at the end of a list, before that is taken to be its end.
const MISSING_PAGES_MAX: u32 = 5;

pub(crate) async fn sync_list(worker: &Worker, sync: SyncList, delivery: &Delivery) -> Result<Outcome, StoreError> {
    Span::current().record("character.id", sync.character_id.get());
    let Some(mut claim) = worker.store().claim_list(sync.character_id, delivery.take_over).await? else {
        return Ok(Verdict::skipped("nothing to do: done, in other hands, not due, or removed").into());
    };
    record_attempt(claim.attempt);
    let mut to_fetch = Vec::new();
    let ended = walk(worker, &mut claim, sync.mode, &mut to_fetch, delivery).await?;
    // References that were saved before the walk was cut are asked for all the same.
    let mut follow_ups: Vec<Job> = Job::fetch_details(&to_fetch).collect();
    let verdict = match ended {
        Ended::Finished => Verdict::Done,
        Ended::LeaseLost => Verdict::skipped("another worker has taken the list over"),
        Ended::Cut(cut) => cut.finish(worker, &claim, Job::SyncList(sync), &mut follow_ups).await?,
        Ended::PageMissing { page } => page_missing(worker, &claim, page).await?,
    };
    Ok(Outcome { verdict, follow_ups })
}

pub(super) enum Ended {
    /// The row is finished, with the last page.
    Finished,
    LeaseLost,
    Cut(Cut),
    /// ESI says that this page does not exist, though the page before it said otherwise.
    PageMissing {
        page: u32,
    },
}

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

/// A list can become shorter while it is walked; but if what was taken for its end is a mistake of ESI, all behind it
/// would be missed. So the page before is asked once more when ESI's copy of it has expired: its `X-Pages` decides.
async fn page_missing(worker: &Worker, claim: &ListClaim, page: u32) -> Result<Verdict, StoreError> {
    if claim.attempt >= MISSING_PAGES_MAX {
        warn!(page, "the page does not exist: taken as the end of the list");
        let finished = worker.store().finish_walk(claim, false, LIST_LIVES_FOR, rand::random()).await?;
        return Ok(if finished { Verdict::Done } else { Verdict::skipped("another worker has taken the list over") });
    }
    let reason = format!("page {page} does not exist, though page {} said so", page - 1);
    let verdict = Verdict::RetryAfter { delay: LIST_LIVES_FOR, reason, counted: Counted::Attempt };
    worker.store().finish_list_at(claim, &verdict, page - 1).await?;
    Ok(verdict)
}
