//! The fleet's pauses as this worker sees them: read once a second, and before anything is put off; kept before every
//! call. The daily downtime is kept to the second, whoever has told the others of it.

use std::sync::{Mutex as PlainMutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use domain::downtime::Downtime;
use domain::gate::FailuresInARow;
use domain::{ErrorLimit, Failure, FailureClass};
use esi::{Budget, Call, EsiError, EsiErrorKind};
use store::pause::{self, Pause};
use store::{Store, StoreError};
use tokio::sync::{Mutex, Notify};
use tracing::{error, warn};

/// How old our picture may be: a pause set by one worker is kept by all within two seconds.
const READ_EVERY: Duration = Duration::from_secs(1);
const LONGEST_SSO_WAIT: Duration = Duration::from_secs(60);
/// A pause of all calls to ESI may end at any moment, with its status: who was put off by it shall be due soon after.
/// While it lasts no tick queues them.
const LONGEST_ESI_WAIT: Duration = Duration::from_secs(10);

/// Of one process.
#[derive(Debug)]
pub struct Pauses {
    pub(crate) downtime: Option<Downtime>,
    seen: Mutex<Option<Seen>>,
    since: Instant,
    failures: PlainMutex<FailuresInARow<Call>>,
    suspicion: Notify,
}

#[derive(Debug)]
struct Seen {
    read_at: Instant,
    /// On the database's clock.
    now: DateTime<Utc>,
    in_force: Vec<Pause>,
}

impl Seen {
    /// How long a call that has to keep these scopes waits, and why.
    fn longest(&self, scopes: &[&str]) -> Option<(Duration, String)> {
        let in_force = self.in_force.iter().filter(|pause| scopes.contains(&pause.scope.as_str()));
        let waits = in_force.map(|pause| {
            let remaining =
                if pause.scope == pause::SCOPE_ESI { pause.remaining.min(LONGEST_ESI_WAIT) } else { pause.remaining };
            (remaining, format!("the fleet pauses {}: {}", pause.scope, pause.reason))
        });
        waits.max_by_key(|(remaining, _)| *remaining)
    }

    fn now(&self) -> DateTime<Utc> {
        self.now + TimeDelta::from_std(self.read_at.elapsed()).unwrap_or_default()
    }
}

impl Pauses {
    /// Those of a process that calls ESI; without a downtime none is kept.
    #[must_use]
    pub fn with(downtime: Option<Downtime>) -> Self {
        Self {
            downtime,
            seen: Mutex::default(),
            since: Instant::now(),
            failures: PlainMutex::default(),
            suspicion: Notify::new(),
        }
    }

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

    /// A picture of a moment ago is good enough to call by, but nobody is put off by it: what it shows may be over, and
    /// all that was queued when it ended would be put off once more.
    async fn wait_for(&self, store: &Store, scopes: &[&str]) -> Result<Option<Failure>, StoreError> {
        let mut seen = self.seen.lock().await;
        let picture = seen.take().filter(|seen| seen.read_at.elapsed() < READ_EVERY);
        if let Some(picture) = picture
            && self.longest(&picture, scopes).is_none()
        {
            *seen = Some(picture);
            return Ok(None);
        }
        let now = store.now().await?;
        let read_at = Instant::now();
        let picture = seen.insert(Seen { read_at, now, in_force: store.pauses().await? });
        let longest = self.longest(picture, scopes);
        Ok(longest.map(|(remaining, reason)| Failure::is(FailureClass::Wait(remaining), reason)))
    }

    /// With the downtime, which is kept whether or not it is in the picture.
    fn longest(&self, picture: &Seen, scopes: &[&str]) -> Option<(Duration, String)> {
        let downtime = self.downtime.filter(|_| scopes.contains(&pause::SCOPE_ESI));
        let kept = downtime.and_then(|downtime| {
            let remaining = downtime.remaining(picture.now())?;
            Some((remaining.min(LONGEST_ESI_WAIT), format!("EVE's daily downtime, {downtime}")))
        });
        picture.longest(scopes).into_iter().chain(kept).max_by_key(|(remaining, _)| *remaining)
    }

    /// An answer that concerns others too becomes a pause: 420 stops everything, 429 the bucket that the call was to be
    /// paid from, also when a limiter deep in ESI's servers answers so and names no bucket.
    pub(crate) async fn remember(&self, store: &Store, bucket: &str, error: &EsiError) -> Result<(), StoreError> {
        match error.kind() {
            EsiErrorKind::ErrorLimited { retry_after } => {
                error!(seconds = retry_after.as_secs(), "ESI's error limit is reached: the whole fleet pauses");
                self.pause(store, pause::SCOPE_ESI, "error limit (420)", *retry_after).await?;
            }
            EsiErrorKind::BudgetSpent { retry_after, .. } => {
                warn!(bucket, seconds = retry_after.as_secs(), "a budget is overdrawn: its bucket pauses");
                self.pause(store, bucket, "budget overdrawn (429)", *retry_after).await?;
            }
            EsiErrorKind::Unreachable(_) | EsiErrorKind::Unavailable { status: 500.. } => {
                let is_suspicious = self.failures().failed(error.call(), self.since.elapsed());
                if is_suspicious {
                    self.suspect(store, error).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Before the error limit is spent everything slows down, and then stops.
    pub(crate) async fn keep_error_limit(&self, store: &Store, limit: ErrorLimit) -> Result<(), StoreError> {
        let Some(span) = limit.pause() else { return Ok(()) };
        let reason = format!("error limit: {} errors left", limit.remaining);
        if self.pause(store, pause::SCOPE_ESI, &reason, span).await? {
            warn!(remaining = limit.remaining, seconds = span.as_secs_f64(), "ESI's error limit comes near: all pause");
        }
        Ok(())
    }

    /// So many calls in a row have failed that it may be all of ESI: nobody calls until its status was asked.
    async fn suspect(&self, store: &Store, error: &EsiError) -> Result<(), StoreError> {
        self.succeeded();
        let reason = format!("many calls in a row have failed, the last one: {}", error.kind());
        if store.suspect_esi(&reason).await? {
            warn!(reason, "ESI may be out of order: its status is asked");
            self.look_again().await;
            self.suspicion.notify_one();
        }
        Ok(())
    }

    /// A call has brought what it was to bring: the failures before it were of single things.
    pub(crate) fn succeeded(&self) {
        self.failures().answered();
    }

    fn failures(&self) -> MutexGuard<'_, FailuresInARow<Call>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes back when this process has begun to suspect ESI.
    pub(crate) async fn suspicion(&self) {
        self.suspicion.notified().await;
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
        self.pause(store, bucket, &reason, span).await?;
        Ok(())
    }

    /// False if a pause that lasts as long is in force already.
    pub(crate) async fn pause(
        &self,
        store: &Store,
        scope: &str,
        reason: &str,
        span: Duration,
    ) -> Result<bool, StoreError> {
        let is_news = store.pause(scope, reason, span).await?;
        self.look_again().await;
        Ok(is_news)
    }

    /// Our own picture is out of date from now on.
    pub(crate) async fn look_again(&self) {
        *self.seen.lock().await = None;
    }
}
