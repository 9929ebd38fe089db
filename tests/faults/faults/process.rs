//! Processes that die, stop, stand still, or are too many.

use std::time::Duration;

use rand::Rng as _;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::crew::{CONCURRENCY, WORKERS};
use crate::harness::eventually;
use crate::minutes;
use crate::round::Round;
use crate::sign::{ACK, COMMIT, Catch, Sign};

const KILLS: usize = 20;
/// Each step of a job is met so often.
const KILLS_AT_A_STEP: usize = 3;
/// So many of the same kind may go by before one is caught.
const GO_BY_MAX: u32 = 30;
const CAUGHT_WITHIN: Duration = Duration::from_secs(20);

pub(super) async fn killed_at_random(round: &mut Round<'_>) {
    for _ in 0..KILLS {
        round.moment().await;
        let worker = round.any_worker();
        round.count_fault(1);
        round.crew.replace_killed_worker(worker).await;
    }
}

pub(super) async fn killed_when_claimed(round: &mut Round<'_>) {
    killed_at_its_calls(round, "hold").await;
}

pub(super) async fn killed_when_called(round: &mut Round<'_>) {
    killed_at_its_calls(round, "hold_answer").await;
}

/// All workers have come to a call of each kind, and one of them dies there.
async fn killed_at_its_calls(round: &mut Round<'_>, held: &str) {
    for _ in 0..KILLS_AT_A_STEP {
        let before = held_calls(round, held).await;
        let hold = |on: &str| json!({ "on": on, "do": { "kind": held } });
        round.fleet.simulator.fault(json!([hold("detail"), hold("list")])).await;
        let all = WORKERS as u64 * CONCURRENCY;
        eventually("every worker has calls in flight", async || held_calls(round, held).await >= before + all).await;
        let worker = round.any_worker();
        round.count_fault(1);
        round.crew.replace_killed_worker(worker).await;
        round.fleet.simulator.heal().await;
        round.moment().await;
    }
}

async fn held_calls(round: &Round<'_>, held: &str) -> u64 {
    round.fleet.simulator.counters().await.faults.get(held).copied().unwrap_or_default()
}

/// The server has not heard of the commit.
pub(super) async fn killed_in_transaction(round: &mut Round<'_>) {
    killed_at(round, COMMIT, Catch::Hold).await;
}

/// The server has committed, the worker has not heard of it.
pub(super) async fn killed_when_committed(round: &mut Round<'_>) {
    killed_at(round, COMMIT, Catch::KeepAnswer).await;
}

/// The broker has the acknowledgement.
pub(super) async fn killed_when_acked(round: &mut Round<'_>) {
    killed_at(round, ACK, Catch::LetGoBy).await;
}

async fn killed_at(round: &mut Round<'_>, sign: Sign, catch: Catch) {
    for _ in 0..KILLS_AT_A_STEP {
        let worker = round.any_worker();
        let let_pass = round.random.random_range(0..GO_BY_MAX);
        let member = &round.crew.workers[worker];
        let way = if matches!(catch, Catch::LetGoBy) { &member.broker } else { &member.database };
        is_caught(way.trap(sign, let_pass, catch)).await;
        round.count_fault(1);
        round.crew.replace_killed_worker(worker).await;
    }
}

pub(super) async fn is_caught(caught: oneshot::Receiver<()>) {
    let caught = timeout(CAUGHT_WITHIN, caught).await;
    assert!(matches!(caught, Ok(Ok(()))), "no such message was sent");
}

/// It stands still until others have done its work, and then goes on with what it had.
pub(super) async fn frozen(round: &mut Round<'_>) {
    let worker = round.any_worker();
    round.count_fault(1);
    round.crew.workers[worker].signal("STOP");
    // Its transactions are ended meanwhile, and the others end what they had begun before.
    sleep(Duration::from_secs(16)).await;
    minutes::pass(round.fleet).await;
    sleep(Duration::from_secs(3)).await;
    round.crew.workers[worker].signal("CONT");
}

pub(super) async fn rolling_restart(round: &mut Round<'_>) {
    for worker in 0..WORKERS {
        round.moment().await;
        // It ends what it has in hand.
        round.count_fault(0);
        round.crew.replace_stopped_worker(worker).await;
    }
}

pub(super) async fn more_schedulers(round: &mut Round<'_>) {
    for _ in 0..2 {
        round.count_fault(0);
        round.crew.another_scheduler().await;
    }
    sleep(Duration::from_secs(6)).await;
}
