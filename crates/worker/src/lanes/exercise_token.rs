//! Renewing a token stream for its own sake: no list follows.
//!
//! It is due because it was not used for long or because its probe is due; or it is the canary, the one that is tried
//! while all others wait. Its character's list is nobody's business here.

use std::time::{Duration, Instant};

use domain::token::breaker::CANARY_EVERY;
use domain::token::exercise::AGAIN_AFTER;
use domain::{Counted, Failure, FailureClass, Outcome, TokenStreamId, Verdict};
use store::StoreError;
use tracing::{Span, info};

use super::Delivery;
use crate::refresh::Refreshed;
use crate::worker::Worker;

/// A stream, or a slot, that is in other hands is looked at again so often, and for so long.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOK_FOR: Duration = Duration::from_secs(30);

pub(crate) async fn exercise_token(
    worker: &Worker,
    token_stream_id: TokenStreamId,
    delivery: &Delivery,
) -> Result<Outcome, StoreError> {
    Span::current().record("token_stream.id", token_stream_id.get());
    let is_canary = worker.store().is_canary(token_stream_id).await?;
    if !is_canary {
        if !worker.store().is_exercise_due(token_stream_id).await? {
            return Ok(Verdict::skipped("nothing to do: refreshed meanwhile, given up, or removed").into());
        }
        if let Some(wait) = worker.pauses.wait_for_sso(worker.store()).await? {
            return Ok(Verdict::skipped(wait.reason).into());
        }
    }
    // A failed one is asked for again by a tick: at the next minute another canary, the others in an hour.
    let again_after = if is_canary { CANARY_EVERY } else { AGAIN_AFTER };
    let later = |failure: Failure| {
        let delay = match failure.class {
            FailureClass::Wait(delay) if !is_canary => delay.max(again_after),
            _ => again_after,
        };
        Verdict::RetryAfter { delay, reason: failure.reason, counted: Counted::Nothing }
    };
    let started = Instant::now();
    let verdict = loop {
        if delivery.stop.is_cancelled() {
            break Verdict::HandBack { reason: "this worker stops: another one goes on".to_owned() };
        }
        match worker.refresher.refresh(token_stream_id).await? {
            Refreshed::Granted(_) => {
                if is_canary {
                    worker.pauses.look_again().await;
                    info!(token_stream.id = token_stream_id.get(), "the canary was granted: refreshes go on");
                }
                break Verdict::Done;
            }
            Refreshed::LostRace => break Verdict::skipped("another process has renewed the stream"),
            Refreshed::Impossible => break Verdict::skipped("the stream is gone, or has no refresh token"),
            Refreshed::Refused(failure) | Refreshed::Quarantined(failure) => break Verdict::skipped(failure.reason),
            Refreshed::Failed(failure) => {
                worker.refresh_failed(&failure).await?;
                break later(failure);
            }
            Refreshed::Unusable(failure) => {
                worker.pauses.look_again().await;
                break later(failure);
            }
            Refreshed::Busy if started.elapsed() < LOOK_FOR => {
                let _ = delivery.stop.run_until_cancelled(tokio::time::sleep(LOOK_AGAIN)).await;
                // Whoever has it may have been refused just now: then trying it again would be a second strike.
                let is_still_due = match is_canary {
                    true => worker.store().is_canary(token_stream_id).await?,
                    false => worker.store().is_exercise_due(token_stream_id).await?,
                };
                if !is_still_due {
                    break Verdict::skipped("somebody else has tried the stream meanwhile");
                }
            }
            Refreshed::Busy => {
                break Verdict::skipped("this token stream, or all slots for token calls, are in other hands");
            }
        }
    };
    Ok(verdict.into())
}
