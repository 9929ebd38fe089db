//! Messages that come several times, or about nobody: hints do no harm, the rows know better.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Fleet, On, World, fleet, message};

/// Taken out and put back: a message that was only looked at would count as delivered before.
async fn repeat_all(fleet: &Fleet<'_>, queue: &str, times: usize) {
    let mut bodies = Vec::new();
    while let Some(message) = fleet.queues().take(queue).await {
        bodies.push(message.body());
    }
    for body in bodies {
        for _ in 0..times {
            fleet.queues().publish(queue, body.as_bytes()).await;
        }
    }
}

async fn drain_with_two_workers(fleet: &Fleet<'_>, lane: &str) {
    let workers = (0..2).map(|_| fleet.worker(&["--drain", "--lanes", lane]).run());
    for ended in join_all(workers).await {
        ended.well();
    }
}

#[test]
fn each_job_is_done_once_however_often_it_is_asked_for() {
    fleet(On::Services, World::of(4, 20), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        fleet.tick(&[]).await;
        for lane in ["refresh", "list", "detail"] {
            repeat_all(fleet, lane, 5).await;
            drain_with_two_workers(fleet, lane).await;
        }
        let counters = fleet.simulator.counters().await;
        assert!(counters.token_calls_by_character.values().all(|calls| *calls == 1), "{counters:?}");
        assert!(counters.list_calls_by_character.values().all(|calls| *calls == 1), "{counters:?}");
        fleet.is_true().await;
    });
}

#[test]
fn messages_about_nobody_are_acknowledged() {
    fleet(On::Services, World::of(2, 5), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        let sync = json!({ "character_id": 90_000_001, "mode": "full" });
        let jobs: [(&str, Value); 3] = [
            ("list", json!({ "kind": "sync_list", "character_id": 90_000_001, "mode": "new" })),
            ("detail", json!({ "kind": "fetch_details", "killmail_ids": [1, 2, 3] })),
            ("refresh", json!({ "kind": "refresh_token", "token_stream_id": 4711, "then": sync })),
        ];
        for (queue, job) in jobs {
            fleet.queues().publish(queue, &message(&job)).await;
        }
        fleet.drain().await;
        fleet.is_true().await;
    });
}

/// Several messages about the same characters, all of which have been delivered before: only its own redelivery tells
/// that the holder of a lease is gone.
#[test]
fn a_redelivery_takes_nothing_from_the_holder_of_another_message() {
    fleet(On::Services, World::of(3, 12), async |fleet: &Fleet| {
        fleet.simulator.fault(json!([{ "on": "list", "do": { "kind": "delay", "milliseconds": 300 } }])).await;
        fleet.tick(&[]).await;
        for pilot in fleet.simulator.pilots().await {
            let sync = json!({ "kind": "sync_list", "character_id": pilot.character_id, "mode": "new" });
            for _ in 0..3 {
                fleet.queues().publish("list", &message(&sync)).await;
            }
        }
        assert_eq!(fleet.queues().bodies("list").await.len(), 12, "looked at and put back");
        drain_with_two_workers(fleet, "list").await;
        let counters = fleet.simulator.counters().await;
        assert!(counters.list_calls_by_character.values().all(|calls| *calls == 1), "{counters:?}");
        fleet.simulator.heal().await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}
