//! Whether ESI is open: the daily downtime is kept, and while nobody may call, one process of the fleet asks for the
//! status of the game server. That call waits for no pause: without it no pause could ever end.

use std::convert::Infallible;
use std::time::Duration;

use esi::{Answered, EsiError, EsiErrorKind, ServerStatus};
use service::metrics as names;
use store::StoreError;
use tracing::{debug, error, info};

use crate::worker::Worker;

const LOOK_EVERY: Duration = Duration::from_secs(1);

enum Status {
    Open,
    Closed(String),
}

impl Worker {
    /// Goes on for as long as this process works. To be dropped at any moment: a question that was begun is asked by
    /// another process later.
    pub async fn watch_esi(&self) -> Infallible {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.pauses.suspicion() => {}
            }
            self.look_at_esi().await;
        }
    }

    /// Once, before the first job: others may have left ESI closed and be gone.
    pub async fn look_at_esi(&self) {
        if let Err(error) = self.keep_closed_or_open().await {
            // Whoever works meanwhile says so louder.
            debug!(reason = %error.failure(), "whether ESI is open could not be looked up");
        }
    }

    async fn keep_closed_or_open(&self) -> Result<(), StoreError> {
        if let Some(downtime) = self.pauses.downtime
            && self.store().keep_downtime(&downtime, rand::random()).await?
        {
            info!(%downtime, "EVE's daily downtime has begun: nobody calls ESI before it is open again");
            metrics::counter!(names::ESI_PAUSES, "reason" => "downtime").increment(1);
            self.pauses.look_again().await;
        }
        if !self.store().claim_esi_probe().await? {
            return Ok(());
        }
        let answer = self.esi.server_status().await;
        let (status, lives_for) = status(&answer);
        match status {
            Status::Open => self.is_open(lives_for).await?,
            Status::Closed(reason) => {
                if self.store().esi_is_closed(&reason, lives_for, rand::random()).await? {
                    error!(reason, "ESI is out of order: nobody calls it before it is open again");
                    metrics::counter!(names::ESI_PAUSES, "reason" => "outage").increment(1);
                }
            }
        }
        // Only now: with an outage its pause ends, which this answer may make a new one.
        self.heard("status", &answer).await?;
        self.pauses.look_again().await;
        Ok(())
    }

    async fn is_open(&self, lives_for: Duration) -> Result<(), StoreError> {
        if let Some(opened) = self.store().esi_is_open(lives_for).await? {
            if opened.was_certain {
                info!(closed_seconds = opened.after.as_secs(), "ESI is open again");
            } else {
                info!("the status of ESI is good: what has failed was not all of it");
            }
        }
        Ok(())
    }
}

/// And for how long it is of no use to ask again.
fn status(answer: &Result<Answered<ServerStatus>, EsiError>) -> (Status, Duration) {
    match answer {
        Ok(Answered { value: ServerStatus { is_vip: false, .. }, cache, .. }) => (Status::Open, cache.lives_for),
        Ok(answer) => (Status::Closed("EVE lets nobody but CCP in (vip)".to_owned()), answer.cache.lives_for),
        Err(error) => {
            let wait = match error.kind() {
                EsiErrorKind::ErrorLimited { retry_after } | EsiErrorKind::BudgetSpent { retry_after, .. } => {
                    *retry_after
                }
                _ => Duration::ZERO,
            };
            (Status::Closed(error.failure().reason), wait)
        }
    }
}
