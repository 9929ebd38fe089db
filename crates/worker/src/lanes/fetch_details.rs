//! The detail lane: fetch and store the bodies that are still wanted, one by one.
//!
//! Each killmail has its own claim and its own ending, so one that cannot be had never holds up the others.

use std::time::Instant;

use domain::{Failure, FailureClass, Job, KillmailId, Outcome, Verdict};
use esi::{EsiError, EsiErrorKind};
use service::metrics as names;
use store::detail_job::{DetailClaim, NewKillmail};
use store::{StoreError, lease};
use tracing::{debug, info, warn};

use super::Delivery;
use crate::worker::Worker;

/// The rate-limit group of killmail bodies, as ESI's specification names it; one bucket per address, for the fleet.
const DETAIL_GROUP: &str = "killmail";
/// So many answers in a row that say that ESI is away end the batch: the rest would get the same.
const OUTAGES_IN_A_ROW_MAX: u32 = 3;

pub(crate) async fn fetch_details(
    worker: &Worker,
    killmail_ids: &[KillmailId],
    delivery: &Delivery,
) -> Result<Outcome, StoreError> {
    let mut claims = worker.store().claim_details(killmail_ids, delivery.take_over).await?;
    if claims.is_empty() {
        return Ok(Verdict::skipped("nothing to do: stored, in other hands, or not due").into());
    }
    let started = Instant::now();
    let mut batch = Batch::default();
    let mut outages = 0;
    // From the end, so that what is not begun stays in the vector.
    while let Some(claim) = claims.pop() {
        if let Some(wait) = worker.pauses.wait_for_esi(worker.store(), DETAIL_GROUP).await? {
            claims.push(claim);
            batch.put_off_rest(worker, &claims, &wait).await?;
            return Ok(batch.outcome(Vec::new()));
        }
        let ending = fetch_one(worker, &claim).await?;
        outages = if matches!(ending, Ending::EsiIsAway(_)) { outages + 1 } else { 0 };
        if let Some(failure) = batch.end(worker, &claim, ending).await?
            && outages >= OUTAGES_IN_A_ROW_MAX
        {
            batch.put_off_rest(worker, &claims, &failure).await?;
            return Ok(batch.outcome(Vec::new()));
        }
        if delivery.stop.is_cancelled() || started.elapsed() > lease::DETAIL_WORK {
            let rest = worker.store().hand_over_details(&claims).await?;
            return Ok(batch.outcome(rest));
        }
    }
    Ok(batch.outcome(Vec::new()))
}

enum Ending {
    Stored,
    LeaseLost,
    Invalid(String),
    Failed(Failure),
    EsiIsAway(Failure),
}

async fn fetch_one(worker: &Worker, claim: &DetailClaim) -> Result<Ending, StoreError> {
    let answer = worker.esi.killmail_body(&claim.reference).await;
    worker.count_answer("detail", answer.as_ref().err());
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            worker.pauses.remember(worker.store(), &error, DETAIL_GROUP).await?;
            return Ok(ending_of(&error));
        }
    };
    if let Some(budget) = &answer.budget {
        worker.pauses.spare(worker.store(), budget).await?;
    }
    let body = &answer.value;
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

fn ending_of(error: &EsiError) -> Ending {
    match error.kind() {
        EsiErrorKind::InvalidReference => Ending::Invalid(error.failure().reason),
        EsiErrorKind::Unavailable { .. } | EsiErrorKind::Redirected { .. } | EsiErrorKind::Unreachable(_) => {
            Ending::EsiIsAway(error.failure())
        }
        _ => Ending::Failed(error.failure()),
    }
}

/// What became of the killmails of one job.
#[derive(Default)]
struct Batch {
    stored: u64,
    invalid: u64,
    lost: u64,
    first_failure: Option<Verdict>,
    failed: u64,
}

impl Batch {
    async fn end(
        &mut self,
        worker: &Worker,
        claim: &DetailClaim,
        ending: Ending,
    ) -> Result<Option<Failure>, StoreError> {
        let killmail_id = claim.reference.killmail_id.get();
        match ending {
            Ending::Stored => {
                self.stored += 1;
                metrics::counter!(names::KILLMAILS_STORED).increment(1);
                debug!(killmail.id = killmail_id, "stored");
            }
            Ending::LeaseLost => self.lost += 1,
            Ending::Invalid(reason) => {
                self.invalid += 1;
                warn!(killmail.id = killmail_id, reason, "invalid reference");
                worker.store().mark_invalid(claim, &reason).await?;
            }
            Ending::Failed(failure) | Ending::EsiIsAway(failure) => {
                let verdict = domain::failure::decide(&failure, claim.attempt, rand::random());
                warn!(killmail.id = killmail_id, verdict = verdict.name(), reason = %failure, "not stored");
                worker.store().finish_detail(claim, &verdict).await?;
                self.failed += 1;
                self.first_failure.get_or_insert(verdict);
                return Ok(Some(failure));
            }
        }
        Ok(None)
    }

    /// Those that were not begun are due again later; it counts as no attempt of theirs.
    async fn put_off_rest(
        &mut self,
        worker: &Worker,
        claims: &[DetailClaim],
        failure: &Failure,
    ) -> Result<(), StoreError> {
        let Verdict::RetryAfter { delay, reason, .. } = domain::failure::decide(failure, 1, rand::random()) else {
            return Ok(());
        };
        let verdict = Verdict::RetryAfter { delay, reason, counts_as_attempt: false };
        for claim in claims {
            worker.store().finish_detail(claim, &verdict).await?;
        }
        self.first_failure.get_or_insert(verdict);
        Ok(())
    }

    fn outcome(self, rest: Vec<KillmailId>) -> Outcome {
        let Self { stored, invalid, lost, failed, first_failure } = self;
        info!(stored, invalid, lost, failed, handed_over = rest.len(), "bodies fetched");
        let verdict = match first_failure {
            Some(verdict) if stored + invalid == 0 => verdict,
            _ => Verdict::Done,
        };
        Outcome { verdict, follow_ups: Job::fetch_details(&rest).collect() }
    }
}
