//! Renewing a token stream because it was not used for long or because its probe is due; or it is the canary, the one
//! that is tried while all others wait.

use domain::token::breaker::CANARY_EVERY;
use domain::token::exercise::AGAIN_AFTER;
use domain::{Counted, FailureClass, Outcome, TokenStreamId, Verdict};
use store::StoreError;
use tracing::{Span, info};

use super::Delivery;
use super::renew::{Renewed, Why};
use crate::worker::Worker;

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
    let why = if is_canary { Why::Canary } else { Why::Exercise };
    Ok(match worker.renew(token_stream_id, why, delivery).await? {
        Renewed::Granted => {
            if is_canary {
                worker.pauses.look_again().await;
                info!(token_stream.id = token_stream_id.get(), "the canary was granted: refreshes go on");
            }
            Verdict::Done
        }
        Renewed::Ended(verdict) => verdict,
        Renewed::Failed(failure) => {
            // Asked for again by a tick: at the next minute another canary, the others in an hour.
            let again_after = if is_canary { CANARY_EVERY } else { AGAIN_AFTER };
            let delay = match failure.class {
                FailureClass::Wait(delay) if !is_canary => delay.max(again_after),
                _ => again_after,
            };
            Verdict::RetryAfter { delay, reason: failure.reason, counted: Counted::Nothing }
        }
    }
    .into())
}
