//! Renewing a token stream for its own sake, by whichever job: its character's list is nobody's business here.

use std::time::{Duration, Instant};

use domain::{Failure, TokenStreamId, Verdict};
use store::StoreError;

use super::Delivery;
use crate::refresh::Refreshed;
use crate::worker::Worker;

/// A stream, or a slot, that is in other hands is looked at again so often, and for so long.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOK_FOR: Duration = Duration::from_secs(30);

/// Why a stream is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It was not used for long, or its probe is due.
    Exercise,
    /// All others wait for it.
    Canary,
    /// Nobody has heard of it for an hour, or its access token was discarded.
    Look,
}

pub(super) enum Renewed {
    Granted,
    Ended(Verdict),
    /// It is to be tried again later.
    Failed(Failure),
}

impl Worker {
    /// Waits for a stream that is in other hands, for as long as there is a reason to renew it.
    pub(super) async fn renew(
        &self,
        token_stream_id: TokenStreamId,
        why: Why,
        delivery: &Delivery,
    ) -> Result<Renewed, StoreError> {
        let started = Instant::now();
        let skipped = |reason: &str| Ok(Renewed::Ended(Verdict::skipped(reason)));
        loop {
            if delivery.stop.is_cancelled() {
                let reason = "this worker stops: another one goes on".to_owned();
                return Ok(Renewed::Ended(Verdict::HandBack { reason }));
            }
            match self.refresher.refresh(token_stream_id, None).await? {
                Refreshed::Granted(_) => return Ok(Renewed::Granted),
                Refreshed::LostRace => return skipped("another process has renewed the stream"),
                Refreshed::Impossible => return skipped("the stream is gone, or has no refresh token"),
                Refreshed::Refused(failure) | Refreshed::Quarantined(failure) => return skipped(&failure.reason),
                Refreshed::Failed(failure) => {
                    self.refresh_failed(&failure).await?;
                    return Ok(Renewed::Failed(failure));
                }
                Refreshed::Unusable(failure) => {
                    self.pauses.look_again().await;
                    return Ok(Renewed::Failed(failure));
                }
                Refreshed::Busy if started.elapsed() < LOOK_FOR => {
                    let _ = delivery.stop.run_until_cancelled(tokio::time::sleep(LOOK_AGAIN)).await;
                    // Whoever has it may have been refused just now: then trying it again would be a second strike.
                    if !self.is_still_to_be_renewed(token_stream_id, why).await? {
                        return skipped("somebody else has tried the stream meanwhile");
                    }
                }
                Refreshed::Busy => {
                    return skipped("this token stream, or all slots for token calls, are in other hands");
                }
            }
        }
    }

    async fn is_still_to_be_renewed(&self, token_stream_id: TokenStreamId, why: Why) -> Result<bool, StoreError> {
        let store = self.store();
        match why {
            Why::Exercise => store.is_exercise_due(token_stream_id).await,
            Why::Canary => store.is_canary(token_stream_id).await,
            Why::Look => Ok(store.due_look(token_stream_id).await?.is_some()),
        }
    }
}
