//! A handler that panics has met a mistake of ours: its row is finished like after any other, with the reason, and the
//! worker goes on. If the row kept its mark instead, it would be hinted and panic again every few minutes, for ever.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use domain::failure::decide;
use domain::{Counted, Failure, FailureClass, Job, ListOwner, Outcome, SyncList, Tries, Verdict};
use futures_util::FutureExt as _;
use service::metrics as names;
use store::lease::Claimant;
use store::{Store, StoreError};
use tracing::error;

/// A panic can quote whatever it was about.
const LONGEST_MESSAGE_CHARACTERS: usize = 300;

/// As long as after a first refusal.
const LATER: Duration = Duration::from_secs(60 * 60);

/// Runs something to its end. A panic comes back as a failure, and is told of and counted here.
///
/// What a handler shares with others holds nothing that a panic could leave half changed: transactions are rolled back,
/// and what stands behind a lock is replaced whole.
pub(super) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        let failure = Failure::is(FailureClass::Ours, format!("the handler panicked: {}", message_of(&*panic)));
        error!(reason = %failure, "a mistake of ours: please report it with the line before this one");
        metrics::counter!(names::PANICS).increment(1);
        failure
    })
}

/// In one line that both databases take.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)");
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    text.chars().take(LONGEST_MESSAGE_CHARACTERS).map(plain).collect()
}

/// Finishes the row of a job whose handler has panicked. What it had claimed is taken over from it by way of the message,
/// under a fence of our own; if somebody else has it by now, nothing is written.
pub(super) async fn finish(
    store: &Store,
    job: &Job,
    claimant: Claimant,
    failure: &Failure,
) -> Result<Outcome, StoreError> {
    let claimant = Claimant { take_over: true, ..claimant };
    let verdict = match job {
        Job::SyncList(SyncList { character_id, .. })
        | Job::RefreshToken { then: SyncList { character_id, .. }, .. } => {
            finish_list(store, (*character_id).into(), claimant, failure).await?
        }
        Job::SyncCorporationList { corporation_id, .. } => {
            finish_list(store, (*corporation_id).into(), claimant, failure).await?
        }
        // Not in a call for one of them, which is caught with its killmail: so it is held against none.
        Job::FetchDetails { killmail_ids } => {
            let claims = store.claim_details(killmail_ids, claimant).await?;
            store.put_off_details(&claims, LATER, &failure.reason).await?;
            later(failure)
        }
        Job::LearnAffiliations { character_ids } => {
            store.put_off_affiliations(character_ids, LATER).await?;
            later(failure)
        }
        // The mark of the tick that has asked for it keeps the next one from asking again.
        Job::ExerciseToken { .. } | Job::LookAtToken { .. } => later(failure),
    };
    Ok(verdict.into())
}

async fn finish_list(
    store: &Store,
    owner: ListOwner,
    claimant: Claimant,
    failure: &Failure,
) -> Result<Verdict, StoreError> {
    let Some(claim) = store.claim_list(owner, claimant).await? else {
        return Ok(Verdict::skipped(format!("{failure}; but its row is finished, or in other hands")));
    };
    let verdict = decide(failure, Tries { attempts: claim.attempt, refusals: 0 }, rand::random());
    store.finish_list(&claim, &verdict).await?;
    Ok(verdict)
}

fn later(failure: &Failure) -> Verdict {
    Verdict::RetryAfter { delay: LATER, reason: failure.reason.clone(), counted: Counted::Nothing }
}
