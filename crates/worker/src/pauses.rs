//! The fleet's pauses as this worker sees them: read at most once a second, kept before every call.

use std::time::{Duration, Instant};

use domain::{Failure, FailureClass};
use esi::{Budget, EsiError, EsiErrorKind};
use store::pause::{self, Pause};
use store::{Store, StoreError};
use tokio::sync::Mutex;
use tracing::{error, warn};

/// How old our picture may be: a pause set by one worker is kept by all within two seconds.
const READ_EVERY: Duration = Duration::from_secs(1);
const LONGEST_SSO_WAIT: Duration = Duration::from_secs(60);
/// Of one process.
#[derive(Debug, Default)]
pub struct Pauses {
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug)]
struct Seen {
    read_at: Instant,
    in_force: Vec<Pause>,
}

impl Pauses {
    /// The wait for a call that this bucket pays for, if a pause is in force.
    pub(crate) async fn wait_for_esi(&self, store: &Store, bucket: &str) -> Result<Option<Failure>, StoreError> {
        self.wait_for(store, &[pause::SCOPE_ESI, bucket]).await
    }

    /// The wait for a call to the token endpoint, if a pause is in force. It may end at any moment, with a canary: so
    /// nobody waits for all of it, and ticks queue nobody before it is over.
    pub(crate) async fn wait_for_sso(&self, store: &Store) -> Result<Option<Failure>, StoreError> {
        let mut wait = self.wait_for(store, &pause::SCOPES_OF_REFRESHES).await?;
        if let Some(Failure { class: FailureClass::Wait(remaining), .. }) = &mut wait {
            *remaining = LONGEST_SSO_WAIT.min(*remaining);
        }
        Ok(wait)
    }

    /// The wait for a look at a login, which may come to a call to the token endpoint.
    pub(crate) async fn wait_for_look(&self, store: &Store) -> Result<Option<Failure>, StoreError> {
        self.wait_for(store, &[pause::SCOPE_SSO, pause::SCOPE_SSO_WAIT, pause::SCOPE_VALIDATE]).await
    }

    async fn wait_for(&self, store: &Store, scopes: &[&str]) -> Result<Option<Failure>, StoreError> {
        let mut seen = self.seen.lock().await;
        let seen = match seen.take().filter(|seen| seen.read_at.elapsed() < READ_EVERY) {
            Some(fresh) => seen.insert(fresh),
            None => {
                let in_force = store.pauses().await?;
                seen.insert(Seen { read_at: Instant::now(), in_force })
            }
        };
        Ok(seen
            .in_force
            .iter()
            .filter(|pause| scopes.contains(&pause.scope.as_str()))
            .max_by_key(|pause| pause.remaining)
            .map(|pause| {
                let reason = format!("the fleet pauses {}: {}", pause.scope, pause.reason);
                Failure::is(FailureClass::Wait(pause.remaining), reason)
            }))
    }

    /// An answer that concerns others too becomes a pause: 420 stops everything, 429 the bucket that the call was to be
    /// paid from, also when a limiter deep in ESI's servers answers so and names no bucket.
    pub(crate) async fn remember(&self, store: &Store, bucket: &str, error: &EsiError) -> Result<(), StoreError> {
        match error.kind() {
            EsiErrorKind::ErrorLimited { retry_after } => {
                error!(seconds = retry_after.as_secs(), "ESI's error limit is reached: the whole fleet pauses");
                self.pause(store, pause::SCOPE_ESI, "error limit (420)", *retry_after).await
            }
            EsiErrorKind::BudgetSpent { retry_after, .. } => {
                warn!(bucket, seconds = retry_after.as_secs(), "a budget is overdrawn: its bucket pauses");
                self.pause(store, bucket, "budget overdrawn (429)", *retry_after).await
            }
            _ => Ok(()),
        }
    }

    /// Stops a bucket before it is empty: when less than `reserve` tokens are left, nobody touches it for `span`.
    pub(crate) async fn spare(
        &self,
        store: &Store,
        bucket: &str,
        budget: &Budget,
        reserve: u32,
        span: Duration,
    ) -> Result<(), StoreError> {
        if budget.remaining >= reserve {
            return Ok(());
        }
        let reason = format!("{} of {} tokens left", budget.remaining, budget.limit);
        self.pause(store, bucket, &reason, span).await
    }

    pub(crate) async fn pause(
        &self,
        store: &Store,
        scope: &str,
        reason: &str,
        span: Duration,
    ) -> Result<(), StoreError> {
        store.pause(scope, reason, span).await?;
        self.look_again().await;
        Ok(())
    }

    /// Our own picture is out of date from now on.
    pub(crate) async fn look_again(&self) {
        *self.seen.lock().await = None;
    }
}
