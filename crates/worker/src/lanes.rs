//! A worker's table of contents: which handler does which job, and what surrounds every one of them.
//!
//! A handler is a function from a job to an outcome. It claims its row, works, and finishes the row; whatever it
//! cannot write because the database is away is tried again here, for as long as the delivery is ours. When it panics its
//! row is finished here too ([`panicked`]).

mod bearer;
mod cut;
pub(crate) mod exercise_token;
pub(crate) mod fetch_details;
pub(crate) mod learn_affiliations;
pub(crate) mod look_at_token;
mod panicked;
pub(crate) mod refresh_token;
mod renew;
pub(crate) mod sync_list;
mod walk;

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{Counted, Delivered, Failure, FailureClass, Job, Outcome, SyncList, Verdict};
use service::metrics as names;
use store::StoreError;
use store::lease::Claimant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, error, field, info, info_span, warn};

use crate::worker::Worker;

/// What a handler needs to know about the delivery, beyond the job.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) claimant: Claimant,
    pub(crate) stop: CancellationToken,
}

async fn run(worker: &Worker, job: &Job, delivery: &Delivery) -> Result<Outcome, StoreError> {
    match job {
        Job::SyncList(SyncList { character_id, mode }) => {
            sync_list::sync_list(worker, (*character_id).into(), *mode, job, delivery).await
        }
        Job::SyncCorporationList { corporation_id, mode } => {
            sync_list::sync_list(worker, (*corporation_id).into(), *mode, job, delivery).await
        }
        Job::LearnAffiliations { character_ids } => {
            learn_affiliations::learn_affiliations(worker, character_ids, delivery).await
        }
        Job::FetchDetails { killmail_ids } => fetch_details::fetch_details(worker, killmail_ids, delivery).await,
        Job::RefreshToken { token_stream_id, then } => {
            refresh_token::refresh_token(worker, *token_stream_id, *then, delivery).await
        }
        Job::ExerciseToken { token_stream_id } => {
            exercise_token::exercise_token(worker, *token_stream_id, delivery).await
        }
        Job::LookAtToken { token_stream_id } => look_at_token::look_at_token(worker, *token_stream_id, delivery).await,
    }
}

/// Runs one job to its outcome inside its span, and counts it. `stop` is the process's: a long job hands over what it
/// has not begun.
pub async fn handle(worker: Arc<Worker>, delivered: Delivered, stop: CancellationToken) -> Outcome {
    let message = &delivered.message;
    let kind = message.job.kind();
    let span = info_span!(
        "job",
        job.id = %message.job_id,
        job.kind = kind,
        job.attempt = field::Empty,
        trace.id = %message.trace_id,
        character.id = field::Empty,
        corporation.id = field::Empty,
        token_stream.id = field::Empty,
    );
    let running = metrics::gauge!(names::JOBS_RUNNING, "kind" => kind);
    running.increment(1.0);
    let started = Instant::now();
    let claimant = Claimant { job_id: message.job_id, take_over: delivered.redelivered };
    let delivery = Delivery { claimant, stop };
    let outcome = until_recorded(&worker, &message.job, delivery).instrument(span.clone()).await;
    running.decrement(1.0);
    let verdict = outcome.verdict.name();
    metrics::histogram!(names::JOB_SECONDS, "kind" => kind).record(started.elapsed().as_secs_f64());
    metrics::counter!(names::JOBS, "kind" => kind, "verdict" => verdict).increment(1);
    span.in_scope(|| log(&outcome));
    outcome
}

fn log(outcome: &Outcome) {
    let (verdict, reason) = (outcome.verdict.name(), outcome.verdict.reason());
    let follow_ups = outcome.follow_ups.len();
    match outcome.verdict {
        Verdict::Done | Verdict::Skipped { .. } | Verdict::HandBack { .. } => {
            info!(verdict, reason, follow_ups, "job ended");
        }
        // Nothing has gone wrong with this one: whoever met the trouble, or set the pause, has said so.
        Verdict::RetryAfter { delay, counted: Counted::Nothing, .. } => {
            info!(verdict, reason, delay_seconds = delay.as_secs(), follow_ups, "job ended");
        }
        Verdict::RetryAfter { delay, .. } => {
            warn!(verdict, reason, delay_seconds = delay.as_secs(), follow_ups, "job ended");
        }
        Verdict::Parked { .. } => error!(verdict, reason, follow_ups, "job ended"),
    }
}

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// While the database is away nothing can be claimed or finished: the delivery is kept and the handler run again, so
/// that the worker takes no more work than it holds. Handlers are safe to run twice.
async fn until_recorded(worker: &Worker, job: &Job, mut delivery: Delivery) -> Outcome {
    let mut wait = FIRST_WAIT;
    let mut panic: Option<Failure> = None;
    loop {
        let ran = match &panic {
            None => match panicked::caught(run(worker, job, &delivery)).await {
                Ok(ran) => ran,
                Err(failure) => {
                    panic = Some(failure);
                    continue;
                }
            },
            Some(failure) => panicked::finish(worker.store(), job, delivery.claimant, failure).await,
        };
        let failure = match ran {
            Ok(outcome) => return outcome,
            Err(error) => error.failure(),
        };
        if failure.class != FailureClass::Transient {
            // Nothing could be written; the row's lease runs out and the next tick hints it again.
            error!(reason = %failure, "the job could not be recorded");
            return Verdict::skipped(failure.reason).into();
        }
        warn!(reason = %failure, wait_ms = wait.as_millis(), "the database is away: the job waits");
        tokio::select! {
            () = delivery.stop.cancelled() => return Verdict::HandBack { reason: failure.reason }.into(),
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(LONGEST_WAIT);
        // What the failed run has claimed is ours.
        delivery.claimant.take_over = true;
    }
}

/// The span knows its attempt only once the row is claimed.
pub(crate) fn record_attempt(attempt: u32) {
    Span::current().record("job.attempt", attempt);
}
