//! The refresh lane: renew the token of a character that is due but inside the buffer, then send it to the list lane.

use domain::token::LIST_SCOPE;
use domain::{Job, Outcome, SyncList, TokenStreamId, Verdict};
use store::StoreError;
use tracing::{Span, debug};

use super::cut::Cut;
use super::{Delivery, record_attempt};
use crate::worker::Worker;

/// The stream in the message is a hint: by now another may be healthier, or this one renewed by somebody else.
pub(crate) async fn refresh_token(
    worker: &Worker,
    token_stream_id: TokenStreamId,
    then: SyncList,
    delivery: &Delivery,
) -> Result<Outcome, StoreError> {
    Span::current().record("character.id", then.character_id.get());
    debug!(token_stream.id = token_stream_id.get(), "asked to refresh");
    let Some(claim) = worker.store().claim_list(then.character_id, delivery.claimant).await? else {
        return Ok(Verdict::skipped("nothing to do: done, in other hands, not due, or removed").into());
    };
    record_attempt(claim.attempt);
    let found = Cut::unless_found(worker.good_token(then.character_id, LIST_SCOPE, &delivery.stop).await?);
    let mut follow_ups = Vec::new();
    let verdict = match found {
        Ok(_) if worker.store().hand_over_list(&claim).await? => {
            follow_ups.push(Job::SyncList(then));
            Verdict::Done
        }
        Ok(_) => Verdict::skipped("another worker has taken the character over"),
        Err(cut) => cut.finish(worker, &claim, Job::RefreshToken { token_stream_id, then }, &mut follow_ups).await?,
    };
    Ok(Outcome { verdict, follow_ups })
}
