//! Everything at once, at random, for as long as the run allows.

use std::time::Duration;

use rand::Rng as _;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::crew::WORKERS;
use crate::proxy::Mode;
use crate::round::Round;
use crate::servers;

const SHORT: Duration = Duration::from_secs(2);

pub(super) async fn at_random(round: &mut Round<'_>) {
    let end = Instant::now() + round.soak;
    while Instant::now() < end {
        round.moment().await;
        one_of_all(round).await;
    }
}

async fn one_of_all(round: &mut Round<'_>) {
    let worker = round.any_worker();
    match round.random.random_range(0..13) {
        0..3 => {
            round.count_fault(1);
            round.crew.replace_killed_worker(worker).await;
        }
        3 => {
            round.count_fault(0);
            round.crew.replace_stopped_worker(worker).await;
        }
        4 => {
            round.count_fault(0);
            round.crew.replace_killed_scheduler().await;
        }
        5 => {
            round.count_fault(1);
            round.crew.workers[worker].cut();
        }
        6 => {
            round.count_fault(1);
            round.crew.workers[worker].signal("STOP");
            sleep(SHORT).await;
            round.crew.workers[worker].signal("CONT");
        }
        7 => {
            round.count_fault(1);
            for mode in [Mode::BlackHole, Mode::Refuse, Mode::Pass] {
                round.crew.workers[worker].database.set(mode);
                sleep(SHORT / 2).await;
                round.crew.workers[worker].database.cut();
            }
        }
        8 => {
            round.count_fault(1);
            for mode in [Mode::BlackHole, Mode::Refuse, Mode::Delay(Duration::from_millis(50)), Mode::Pass] {
                round.crew.workers[worker].broker.set(mode);
                sleep(SHORT / 2).await;
            }
        }
        9 => {
            round.count_fault(WORKERS);
            servers::restart_postgres().await;
        }
        10 => {
            round.count_fault(WORKERS);
            servers::kill_rabbitmq().await;
            servers::start_rabbitmq().await;
        }
        11 => {
            round.count_fault(0);
            for lane in ["list", "detail", "refresh"] {
                round.fleet.queues().purge(lane).await;
            }
        }
        _ => {
            round.count_fault(0);
            let before = round.bites().await;
            let spoil = |on: &str, kind: &str| json!({ "on": on, "probability": 0.3, "do": { "kind": kind } });
            round.fleet.simulator.fault(json!([spoil("token", "lost_answer"), spoil("esi", "truncate")])).await;
            sleep(SHORT).await;
            round.fleet.simulator.heal().await;
            round.allow_repeats(round.bites().await - before);
        }
    }
}
