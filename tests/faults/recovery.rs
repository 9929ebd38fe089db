//! Waiting until the fleet has caught up with the simulator's truth, and letting minutes pass where it takes minutes.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::harness::Fleet;
use crate::minutes;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The fleet has caught up within this, or the round has failed.
const LIMIT: Duration = Duration::from_secs(120);
/// Nothing has changed for so long: what is missing now comes after minutes only.
const STANDS_STILL: Duration = Duration::from_secs(2);

/// How the fleet came back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovery {
    pub(crate) after: Duration,
    /// How often minutes had to pass first.
    pub(crate) minutes_passed: u32,
}

/// What the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    listed: i64,
    stored: i64,
    /// Hints and leases that are out, and pauses in force.
    open: i64,
    pauses: i64,
}

impl Standing {
    async fn of(fleet: &Fleet<'_>) -> Self {
        let (listed, stored, open, pauses) = fleet
            .database
            .rows::<(i64, i64, i64, i64)>(
                "select (select count(*) from character_killmail), (select count(*) from killmail),
                        (select count(*) from character where lease_until is not null or hinted_at is not null)
                      + (select count(*) from killmail_ref where lease_until is not null or hinted_at is not null)
                      + (select count(*) from killmail_ref where state <> 'stored')
                      + (select count(*) from token_stream where lease_until > now())
                      + (select count(*) from sso_slot where lease_until > now()),
                        (select count(*) from fleet_pause where until > now())",
            )
            .await[0];
        Self { listed, stored, open, pauses }
    }
}

/// Waits until so many bodies are stored.
pub(crate) async fn bodies_flow(fleet: &Fleet<'_>, bodies: i64) {
    caught_up(fleet, "bodies do not flow", async |now| now.stored >= bodies, async || {}).await;
}

/// Waits until the database holds all that the simulator knows.
pub(crate) async fn of(fleet: &Fleet<'_>) -> Recovery {
    let truth = fleet.simulator.truth().await;
    let listed = truth.lists.iter().map(|list| list.killmail_ids.len() as i64).sum::<i64>();
    let killmails: BTreeSet<i64> = truth.lists.iter().flat_map(|list| list.killmail_ids.iter().copied()).collect();
    let stored = killmails.len() as i64;
    let what = format!("the fleet does not come to {listed} references of {stored} killmails");
    caught_up(fleet, &what, async |now| (now.listed, now.stored, now.pauses) == (listed, stored, 0), async || {}).await
}

/// Waits, after the schedulers have ended, until the workers have nothing left to do. What was lost on the way is hinted
/// by single ticks.
pub(crate) async fn nothing_is_open(fleet: &Fleet<'_>) {
    let is_over = async |now: Standing| {
        let queues = fleet.queues();
        now.open == 0
            && now.pauses == 0
            && queues.ready("list").await == 0
            && queues.ready("detail").await == 0
            && queues.ready("refresh").await == 0
    };
    let tick = async || {
        fleet.tick(&[]).await;
    };
    caught_up(fleet, "something stays open", is_over, tick).await;
}

async fn caught_up(
    fleet: &Fleet<'_>,
    failure: &str,
    has_come: impl AsyncFn(Standing) -> bool,
    after_minutes: impl AsyncFn(),
) -> Recovery {
    let began = Instant::now();
    let mut minutes_passed = 0;
    let mut last = (Standing::of(fleet).await, began);
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let now = Standing::of(fleet).await;
        if has_come(now).await {
            return Recovery { after: began.elapsed(), minutes_passed };
        }
        assert!(began.elapsed() < LIMIT, "{failure} within {} s: {now:?}", LIMIT.as_secs());
        // While lists are only read again, hints come and go.
        if (now.listed, now.stored) != (last.0.listed, last.0.stored) {
            last = (now, Instant::now());
        } else if now.pauses == 0 && last.1.elapsed() > STANDS_STILL {
            minutes::pass(fleet).await;
            after_minutes().await;
            minutes_passed += 1;
            last = (now, Instant::now());
        }
    }
}
