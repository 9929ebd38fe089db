//! The broker, and the ways to it. A message whose delivery is lost comes again, and takes its rows from the job that is
//! still at them: what that one has in flight is asked for twice.

use std::time::Duration;

use futures_util::future::join_all;
use rand::Rng as _;
use serde_json::json;
use tokio::time::sleep;

use super::process::is_caught;
use crate::crew::WORKERS;
use crate::harness::message;
use crate::proxy::Mode;
use crate::round::Round;
use crate::servers;
use crate::sign::{Catch, PUBLISH};

const TIMES: usize = 5;
/// Longer than a publisher waits for a confirm.
const HALF_OPEN: Duration = Duration::from_secs(12);
const SLOW: Duration = Duration::from_secs(5);
const DELAY: Duration = Duration::from_millis(150);
const ALARM: Duration = Duration::from_secs(5);
const LANES: [&str; 3] = ["list", "detail", "refresh"];

pub(super) async fn scheduler_killed_before_its_publish(round: &mut Round<'_>) {
    for _ in 0..3 {
        let let_pass = round.random.random_range(0..5);
        is_caught(round.crew.schedulers[0].broker.trap(PUBLISH, let_pass, Catch::Hold)).await;
        round.count_fault(0);
        round.crew.replace_killed_scheduler().await;
    }
}

pub(super) async fn killed_and_started(round: &mut Round<'_>) {
    round.count_fault(WORKERS);
    servers::kill_rabbitmq().await;
    servers::start_rabbitmq().await;
}

pub(super) async fn data_gone(round: &mut Round<'_>) {
    round.count_fault(WORKERS);
    servers::kill_rabbitmq().await;
    servers::empty_rabbitmq().await;
    servers::start_rabbitmq().await;
}

pub(super) async fn connections_cut(round: &mut Round<'_>) {
    for _ in 0..TIMES {
        round.moment().await;
        round.count_fault(WORKERS);
        round.crew.all().for_each(|member| member.broker.cut());
    }
}

/// For some seconds nothing arrives, and then whoever still waits is cut off.
pub(super) async fn connections_half_open(round: &mut Round<'_>) {
    round.count_fault(WORKERS);
    round.crew.all().for_each(|member| member.broker.set(Mode::BlackHole));
    sleep(HALF_OPEN).await;
    round.crew.all().for_each(|member| {
        member.broker.cut();
        member.broker.set(Mode::Pass);
    });
}

pub(super) async fn slow(round: &mut Round<'_>) {
    round.count_fault(WORKERS);
    round.crew.all().for_each(|member| member.broker.set(Mode::Delay(DELAY)));
    sleep(SLOW).await;
    round.crew.all().for_each(|member| member.broker.set(Mode::Pass));
}

pub(super) async fn out_of_memory(round: &mut Round<'_>) {
    round.count_fault(0);
    servers::set_memory_high_watermark("0").await;
    sleep(ALARM).await;
    servers::set_memory_high_watermark("0.4").await;
}

pub(super) async fn queues_purged(round: &mut Round<'_>) {
    for _ in 0..3 {
        round.moment().await;
        round.count_fault(0);
        for lane in LANES {
            round.fleet.queues().purge(lane).await;
        }
    }
}

pub(super) async fn queues_deleted(round: &mut Round<'_>) {
    round.count_fault(0);
    for queue in LANES.into_iter().chain(["parked"]) {
        round.fleet.queues().delete(queue).await;
    }
}

/// Each list and each body that is wanted is asked for by messages of several senders at once.
pub(super) async fn messages_repeated(round: &mut Round<'_>) {
    let fleet = round.fleet;
    for _ in 0..3 {
        round.count_fault(0);
        let characters: Vec<(i64,)> = fleet.database.rows("select character_id from character").await;
        let wanted: Vec<(i64,)> =
            fleet.database.rows("select killmail_id from killmail_ref where state = 'wanted' limit 500").await;
        let wanted: Vec<i64> = wanted.into_iter().map(|(killmail_id,)| killmail_id).collect();
        let syncs =
            characters.iter().map(|(id,)| ("list", json!({ "kind": "sync_list", "character_id": id, "mode": "new" })));
        let fetches = wanted
            .chunks(50)
            .map(|killmail_ids| ("detail", json!({ "kind": "fetch_details", "killmail_ids": killmail_ids })));
        for (queue, job) in syncs.chain(fetches) {
            // The very same message.
            let message = message(&job);
            join_all((0..4).map(|_| fleet.queues().publish(queue, &message))).await;
        }
    }
}
