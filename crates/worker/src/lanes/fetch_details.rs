//! The detail lane: fetch and store the bodies that are still wanted, one by one.
//!
//! Each killmail has its own claim and its own ending, so one that cannot be had never holds up the others.

use std::time::{Duration, Instant};

use domain::failure::delay_for_others;
use domain::{Counted, Failure, FailureClass, Job, KillmailId, Outcome, Verdict};
use esi::{Budget, EsiErrorKind};
use service::metrics as names;
use store::detail_job::{DetailClaim, NewKillmail};
use store::{StoreError, lease, pause};
use tracing::{debug, info, warn};

use super::Delivery;
use super::panicked::caught;
use crate::worker::Worker;

/// The bucket is left alone for a while when less than one part in this many is left: somebody else at our address uses
/// it too, and an answer of 429 is to be avoided, not provoked. Its pause is the same part of the window. Our own calls
/// leave more than twice as much (`domain::pace`).
const RESERVE_PARTS: u32 = 60;
/// So many failures in a row that are not about a killmail alone end the batch: the rest would most likely get the same.
const FAILURES_IN_A_ROW_MAX: u32 = 3;

pub(crate) async fn fetch_details(
    worker: &Worker,
    killmail_ids: &[KillmailId],
    delivery: &Delivery,
) -> Result<Outcome, StoreError> {
    let mut claims = worker.store().claim_details(killmail_ids, delivery.claimant).await?;
    if claims.is_empty() {
        return Ok(Verdict::skipped("nothing to do: stored, in other hands, or not due").into());
    }
    let started = Instant::now();
    let mut batch = Batch::default();
    // From the end, so that what is not begun stays in the vector.
    while let Some(claim) = claims.pop() {
        // Before a turn is taken: with a long backlog every job would take one when a pause begins.
        if let Some(wait) = worker.pauses.wait_for_esi(worker.store(), pause::SCOPE_BODIES).await? {
            claims.push(claim);
            batch.put_off(worker, &claims, &wait).await?;
            break;
        }
        let Some(turn) = delivery.stop.run_until_cancelled(worker.pace.turn(worker.store())).await else {
            claims.push(claim);
            let rest = worker.store().hand_over_details(&claims).await?;
            return Ok(batch.outcome(&rest));
        };
        let turn = match turn? {
            Ok(turn) => turn,
            Err(wait) => {
                claims.push(claim);
                let delay = batch.put_off(worker, &claims, &wait).await?;
                worker.pauses.pause(worker.store(), pause::SCOPE_BODIES, &wait.reason, delay).await?;
                break;
            }
        };
        // And one may have begun while we waited for our turn.
        if let Some(wait) = worker.pauses.wait_for_esi(worker.store(), pause::SCOPE_BODIES).await? {
            worker.pace.give_back(worker.store(), turn).await?;
            claims.push(claim);
            batch.put_off(worker, &claims, &wait).await?;
            break;
        }
        // Caught here, it is known which killmail is to blame, and the others have their turn.
        let ending = caught(fetch_one(worker, &claim)).await.unwrap_or_else(|failure| Ok(Ending::Failed(failure)))?;
        let is_over = batch.end(worker, &claim, ending).await?;
        if let Some(failure) = is_over {
            let delay = batch.put_off(worker, &claims, &failure).await?;
            // For all that wait in the lane as well: a long backlog must not be three failures for each of its jobs.
            worker.pauses.pause(worker.store(), pause::SCOPE_BODIES, &failure.reason, delay).await?;
            break;
        }
        if delivery.stop.is_cancelled() || started.elapsed() > lease::DETAIL_WORK || batch.lease_lost > 0 {
            // Whoever has taken one of them over has the others too: those are no longer ours to hand over.
            let rest = worker.store().hand_over_details(&claims).await?;
            return Ok(batch.outcome(&rest));
        }
    }
    Ok(batch.outcome(&[]))
}

enum Ending {
    Stored,
    LeaseLost,
    Invalid(String),
    Failed(Failure),
}

async fn fetch_one(worker: &Worker, claim: &DetailClaim) -> Result<Ending, StoreError> {
    let answer = worker.esi.killmail_body(&claim.reference).await;
    worker.heard("detail", &answer).await?;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            worker.pauses.remember(worker.store(), pause::SCOPE_BODIES, &error).await?;
            spare(worker, error.budget()).await?;
            return Ok(match error.kind() {
                EsiErrorKind::InvalidReference => Ending::Invalid(error.failure().reason),
                _ => Ending::Failed(error.failure()),
            });
        }
    };
    spare(worker, answer.budget.as_ref()).await?;
    let body = &answer.value;
    if body.contradicts(&claim.reference.killmail_hash) {
        // Only said: the formula was found out, not documented.
        warn!(
            killmail.id = body.killmail_id.get(),
            "the body tells of another hash than the list: stored all the same"
        );
    }
    let killmail =
        NewKillmail { killmail_time: body.killmail_time, solar_system_id: body.solar_system_id, json: &body.json };
    match worker.store().store_body(claim, killmail).await {
        Ok(true) => Ok(Ending::Stored),
        Ok(false) => Ok(Ending::LeaseLost),
        Err(error) if error.class() == FailureClass::Transient => Err(error),
        // The database does not take this body: that is remembered with the killmail, and the next one has its turn.
        Err(error) => Ok(Ending::Failed(error.failure())),
    }
}

async fn spare(worker: &Worker, budget: Option<&Budget>) -> Result<(), StoreError> {
    let Some(budget) = budget else { return Ok(()) };
    let remaining = f64::from(budget.remaining);
    metrics::gauge!(names::ESI_TOKENS_REMAINING, "group" => budget.group.clone()).set(remaining);
    worker.pace.charge(worker.store(), budget).await?;
    let (reserve, span) = (budget.limit / RESERVE_PARTS, budget.window / RESERVE_PARTS);
    worker.pauses.spare(worker.store(), pause::SCOPE_BODIES, budget, reserve, span).await
}

/// What became of the killmails of one job.
#[derive(Default)]
struct Batch {
    stored: u64,
    invalid: u64,
    lease_lost: u64,
    failed: u64,
    put_off: usize,
    failures_in_a_row: u32,
    /// The first thing that went wrong, for the job's own verdict.
    first_failure: Option<Verdict>,
}

impl Batch {
    /// Finishes one killmail's row. The failure comes back when it is time to leave the rest for later.
    async fn end(
        &mut self,
        worker: &Worker,
        claim: &DetailClaim,
        ending: Ending,
    ) -> Result<Option<Failure>, StoreError> {
        let killmail_id = claim.reference.killmail_id.get();
        let Ending::Failed(failure) = ending else {
            self.failures_in_a_row = 0;
            match ending {
                Ending::Stored => {
                    self.stored += 1;
                    metrics::counter!(names::KILLMAILS_STORED).increment(1);
                    debug!(killmail.id = killmail_id, "stored");
                }
                Ending::Invalid(reason) => {
                    self.invalid += 1;
                    warn!(killmail.id = killmail_id, reason, "invalid reference");
                    worker.store().mark_invalid(claim, &reason).await?;
                }
                Ending::LeaseLost | Ending::Failed(_) => self.lease_lost += 1,
            }
            return Ok(None);
        };
        let verdict = domain::failure::decide(&failure, claim.tries, rand::random());
        warn!(killmail.id = killmail_id, verdict = verdict.name(), reason = %failure, "not stored");
        worker.store().finish_detail(claim, &verdict).await?;
        self.failed += 1;
        self.first_failure.get_or_insert(verdict);
        let concerns_others = delay_for_others(&failure, 0.0).is_some();
        self.failures_in_a_row = if concerns_others { self.failures_in_a_row + 1 } else { 0 };
        Ok((self.failures_in_a_row >= FAILURES_IN_A_ROW_MAX).then_some(failure))
    }

    /// Those that were not begun are due again after the delay that is returned; it counts as no attempt of theirs.
    async fn put_off(
        &mut self,
        worker: &Worker,
        claims: &[DetailClaim],
        failure: &Failure,
    ) -> Result<Duration, StoreError> {
        let delay = delay_for_others(failure, rand::random()).unwrap_or_default();
        let reason = format!("not begun: {failure}");
        worker.store().put_off_details(claims, delay, &reason).await?;
        self.put_off = claims.len();
        self.first_failure.get_or_insert(Verdict::RetryAfter { delay, reason, counted: Counted::Nothing });
        Ok(delay)
    }

    fn outcome(self, rest: &[KillmailId]) -> Outcome {
        let Self { stored, invalid, lease_lost, failed, put_off, first_failure, .. } = self;
        info!(stored, invalid, lease_lost, failed, put_off, handed_over = rest.len(), "bodies fetched");
        let verdict = match first_failure {
            Some(verdict) if stored + invalid == 0 => verdict,
            _ => Verdict::Done,
        };
        Outcome { verdict, follow_ups: Job::fetch_details(rest).collect() }
    }
}
