//! This process's turns at the bucket of killmail bodies, which the whole fleet shares: each call waits for its own.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::pace::{Allowance, BODIES, CALL_TOKENS};
use domain::{Failure, FailureClass};
use esi::Budget;
use store::esi_bucket::Turns;
use store::pause::SCOPE_BODIES;
use store::{Store, StoreError, lease};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Whoever would have to wait for longer until tokens come back lets go of its killmails: their leases would run out.
const WAIT_MAX: Duration = Duration::from_secs(lease::DETAIL.as_secs() - 90);

#[derive(Debug, Default)]
pub struct Pace {
    taken: Mutex<Option<Taken>>,
}

#[derive(Debug)]
struct Taken {
    next_at: Instant,
    every: Duration,
    left: u32,
    allowance: Allowance,
    counted_at: DateTime<Utc>,
}

/// Whose it is may call.
#[derive(Debug)]
#[must_use]
pub(crate) struct Turn {
    counted_at: DateTime<Utc>,
}

impl Pace {
    /// Comes back when it is our turn to call; with the wait if that is too long, because the bucket is used up.
    pub(crate) async fn turn(&self, store: &Store) -> Result<Result<Turn, Failure>, StoreError> {
        loop {
            let turns = self.next(store).await?;
            if turns.count == 0 && turns.first_in > WAIT_MAX {
                let reason = "what the fleet may spend on bodies is used up";
                return Ok(Err(Failure::is(FailureClass::Wait(turns.first_in), reason)));
            }
            tokio::time::sleep(turns.first_in).await;
            if turns.count > 0 {
                return Ok(Ok(Turn { counted_at: turns.counted_at }));
            }
        }
    }

    /// The next turn of those that this process has taken, or has none to take.
    async fn next(&self, store: &Store) -> Result<Turns, StoreError> {
        let mut taken = self.taken.lock().await;
        let is_good = |taken: &Taken| taken.left > 0 && taken.next_at.elapsed() <= taken.allowance.tolerance();
        if let Some(turns) = taken.as_mut().filter(|turns| is_good(turns)) {
            let first_in = turns.next_at.saturating_duration_since(Instant::now());
            turns.next_at += turns.every;
            turns.left -= 1;
            let Taken { every, allowance, counted_at, .. } = *turns;
            return Ok(Turns { count: 1, first_in, every, allowance, counted_at });
        }
        if let Some(late) = taken.take().filter(|turns| turns.left > 0) {
            store.give_back_turns(SCOPE_BODIES, late.left, late.counted_at).await?;
        }
        let turns = store.take_turns(SCOPE_BODIES, BODIES).await?;
        let Turns { count, first_in, every, allowance, counted_at } = turns;
        let next_at = Instant::now() + first_in + every;
        *taken = Some(Taken { next_at, every, left: count.saturating_sub(1), allowance, counted_at });
        Ok(turns)
    }

    /// The turn that has come is not used: others may.
    pub(crate) async fn give_back(&self, store: &Store, turn: Turn) -> Result<(), StoreError> {
        store.give_back_turns(SCOPE_BODIES, 1, turn.counted_at).await
    }

    /// What ESI says after a call: another limit holds from now on, and what was dearer than a call that succeeds is
    /// counted as well.
    pub(crate) async fn charge(&self, store: &Store, budget: &Budget) -> Result<(), StoreError> {
        let allowance = Allowance { tokens: budget.limit, window: budget.window };
        let extra_tokens = budget.used.unwrap_or(CALL_TOKENS).saturating_sub(CALL_TOKENS);
        let mut taken = self.taken.lock().await;
        let is_known = taken.as_ref().is_some_and(|turns| turns.allowance == allowance);
        if is_known && extra_tokens == 0 {
            return Ok(());
        }
        if !is_known {
            *taken = None;
        }
        store.charge(SCOPE_BODIES, allowance, budget.remaining, extra_tokens).await
    }
}
