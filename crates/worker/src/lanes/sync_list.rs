//! The list lane: claim the row of a character or a corporation, walk the list ([`walk`](super::walk)), ask for the bodies, finish.

use std::time::Duration;

use domain::{Counted, Job, ListOwner, Outcome, SyncMode, Verdict};
use store::StoreError;
use store::list_job::ListClaim;
use tracing::{Span, warn};

use super::walk::{Ended, walk};
use super::{Delivery, record_attempt};
use crate::worker::Worker;

/// How often in one walk a page may turn out not to exist before that is taken to be the end of the list.
const MISSING_PAGES_MAX: u32 = 5;

/// `again` is this very job, for another process if this one stops.
pub(crate) async fn sync_list(
    worker: &Worker,
    owner: ListOwner,
    mode: SyncMode,
    again: &Job,
    delivery: &Delivery,
) -> Result<Outcome, StoreError> {
    match owner {
        ListOwner::Character(character_id) => Span::current().record("character.id", character_id.get()),
        ListOwner::Corporation(corporation_id) => Span::current().record("corporation.id", corporation_id.get()),
    };
    let Some(mut claim) = worker.store().claim_list(owner, delivery.claimant).await? else {
        return Ok(Verdict::skipped("nothing to do: done, in other hands, not due, or removed").into());
    };
    record_attempt(claim.attempt);
    claim.tiers.clone_from(&worker.tiers);
    let mut to_fetch = Vec::new();
    let ended = walk(worker, &mut claim, mode, &mut to_fetch, delivery).await?;
    // References that were saved before the walk was cut are asked for all the same.
    let mut follow_ups: Vec<Job> = Job::fetch_details(&to_fetch).collect();
    let verdict = match ended {
        Ended::Finished => Verdict::Done,
        Ended::LeaseLost => Verdict::skipped("another worker has taken the list over"),
        Ended::Cut(cut) => cut.finish(worker, &claim, again.clone(), &mut follow_ups).await?,
        Ended::PageMissing { page, lives_for } => page_missing(worker, &claim, page, lives_for).await?,
    };
    Ok(Outcome { verdict, follow_ups })
}

/// A list can become shorter while it is walked; but if what was taken for its end is a mistake of ESI, all behind it
/// would be missed. So the page before is asked once more when ESI's copy of it has expired: its `X-Pages` decides.
async fn page_missing(
    worker: &Worker,
    claim: &ListClaim,
    page: u32,
    lives_for: Duration,
) -> Result<Verdict, StoreError> {
    if claim.missing_pages >= MISSING_PAGES_MAX {
        warn!(page, "the page does not exist: taken as the end of the list");
        let finished = worker.store().finish_walk(claim, false, lives_for, rand::random()).await?;
        return Ok(if finished { Verdict::Done } else { Verdict::skipped("another worker has taken the list over") });
    }
    let reason = format!("page {page} does not exist, though page {} said so", page - 1);
    let verdict = Verdict::RetryAfter { delay: lives_for, reason, counted: Counted::Attempt };
    worker.store().finish_list_before(claim, &verdict, page).await?;
    Ok(verdict)
}
