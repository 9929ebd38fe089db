//! The fleet's pauses as this worker sees them: read at most once a second, kept before every call.

use std::time::{Duration, Instant};

use domain::{Failure, FailureClass};
use esi::{Budget, EsiError, EsiErrorKind};
use service::metrics as names;
use store::pause::{self, Pause};
use store::{Store, StoreError};
use tokio::sync::Mutex;
use tracing::{error, warn};

/// How old our picture may be: a pause set by one worker is kept by all within two seconds.
const READ_EVERY: Duration = Duration::from_secs(1);
/// A bucket that the fleet shares is left alone for a while when less than one part in this many is left: others may
/// have calls on their way, and an answer of 429 is to be avoided, not provoked.
const RESERVE_PARTS: u32 = 30;

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
    /// The wait for a call of this rate-limit group, if a pause is in force.
    pub(crate) async fn wait_for_esi(&self, store: &Store, group: &str) -> Result<Option<Failure>, StoreError> {
        self.wait_for(store, &[pause::SCOPE_ESI, &pause::scope_of_group(group)]).await
    }

    /// The wait for a call to the token endpoint, if a pause is in force.
    pub(crate) async fn wait_for_sso(&self, store: &Store) -> Result<Option<Failure>, StoreError> {
        self.wait_for(store, &[pause::SCOPE_SSO]).await
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

    /// An answer that concerns the whole fleet becomes a pause: 420 stops everything, 429 of a bucket that all share
    /// stops that bucket. A list's bucket belongs to its character alone: its row waits by itself. `route_group` is
    /// for a 429 that names none: a limiter deep in ESI's servers answers so.
    pub(crate) async fn remember(&self, store: &Store, error: &EsiError, route_group: &str) -> Result<(), StoreError> {
        match error.kind() {
            EsiErrorKind::ErrorLimited { retry_after } => {
                error!(seconds = retry_after.as_secs(), "ESI's error limit is reached: the whole fleet pauses");
                self.pause(store, pause::SCOPE_ESI, "error limit (420)", *retry_after).await
            }
            EsiErrorKind::BudgetSpent { group, retry_after } if is_shared(group.as_deref().unwrap_or(route_group)) => {
                let group = group.as_deref().unwrap_or(route_group);
                warn!(group, seconds = retry_after.as_secs(), "a budget is overdrawn: the whole fleet pauses it");
                self.pause(store, &pause::scope_of_group(group), "budget overdrawn (429)", *retry_after).await
            }
            // Errors are paid for, too.
            _ => match error.budget() {
                Some(budget) => self.spare(store, budget).await,
                None => Ok(()),
            },
        }
    }

    /// Stops a bucket that the fleet shares before it is empty.
    pub(crate) async fn spare(&self, store: &Store, budget: &Budget) -> Result<(), StoreError> {
        metrics::gauge!(names::ESI_TOKENS_REMAINING, "group" => budget.group.clone()).set(f64::from(budget.remaining));
        if !is_shared(&budget.group) || budget.remaining >= budget.limit / RESERVE_PARTS {
            return Ok(());
        }
        let reason = format!("{} of {} tokens left", budget.remaining, budget.limit);
        self.pause(store, &pause::scope_of_group(&budget.group), &reason, budget.window / RESERVE_PARTS).await
    }

    async fn pause(&self, store: &Store, scope: &str, reason: &str, span: Duration) -> Result<(), StoreError> {
        store.pause(scope, reason, span).await?;
        // Our own picture is out of date from now on.
        *self.seen.lock().await = None;
        Ok(())
    }
}

/// Buckets without a character in their key (ESI's specification: unauthenticated routes are counted by address).
fn is_shared(group: &str) -> bool {
    !group.starts_with("char-") && !group.starts_with("corp-")
}
