//! Messages that could choke a worker: too long, too many, or about somebody who is gone by now.

use serde_json::json;

use crate::harness::{Exceptions, Fleet, On, Running, World, eventually, fleet, message};

const MEGABYTE: usize = 1_000_000;

async fn consuming(fleet: &Fleet<'_>, arguments: &[&str]) -> Running {
    let worker = fleet.worker(arguments).set("KILLFLEET_LOG", "info").start();
    worker.says("consuming").await;
    worker
}

async fn stop(worker: Running) {
    worker.signal("TERM");
    worker.ended().await.well();
}

/// What a worker takes that has nothing to do.
async fn idle_megabytes(fleet: &Fleet<'_>) -> u64 {
    let worker = consuming(fleet, &[]).await;
    let megabytes = worker.peak_megabytes();
    stop(worker).await;
    megabytes
}

#[test]
fn a_message_of_many_megabytes_is_parked_unread_and_the_good_ones_are_done() {
    fleet(On::Services, World::of(3, 12), async |fleet: &Fleet| {
        let idle = idle_megabytes(fleet).await;
        fleet.tick(&[]).await;
        let head = r#"{"v":1,"job":{"kind":"fetch_details","killmail_ids":["#;
        let long = [
            "garbage".repeat(10 * MEGABYTE / 7),
            "[".repeat(10 * MEGABYTE),
            // In memory each of these numbers would take sixteen times as much.
            format!("{head}{}1]}}}}", "1,".repeat(5 * MEGABYTE)),
            // More than RabbitMQ takes from 4.0 on, as it comes.
            "{\"a\":".repeat(10 * MEGABYTE),
        ];
        let mut taken = 0;
        for body in &long {
            taken += u32::from(fleet.queues().offer("list", body.as_bytes()).await);
        }
        assert!(taken >= 3, "the broker has taken {taken}");
        let worker = consuming(fleet, &[]).await;
        eventually("all are parked", async || fleet.queues().ready("parked").await == taken).await;
        fleet.has_synced(3).await;
        let peak = worker.peak_megabytes();
        println!("{taken} messages of 10 to 50 MB: {peak} MB at the most, {idle} MB idle");
        // One at a time, on its way in and on its way out.
        assert!(peak < idle + 300, "{peak} MB, {idle} MB idle");
        stop(worker).await;
        fleet.drain().await;
        fleet.is_true_but(Exceptions { parked_messages: taken, ..Exceptions::default() }).await;
        let listed = fleet.killfleet(&["parked", "list"]).run().await.well().stdout;
        assert!(listed[1].contains("bytes, 65536 are allowed"), "{listed:?}");
        fleet.queues().purge("parked").await;
    });
}

#[test]
fn a_long_backlog_does_not_grow_a_worker() {
    const MESSAGES: u32 = 90_000;
    const WORKED_OFF: u32 = 3_000;
    fleet(On::Services, World::of(1, 2), async |fleet: &Fleet| {
        let idle = idle_megabytes(fleet).await;
        fleet.tick(&[]).await;
        let nobodys = message(&json!({ "kind": "sync_list", "character_id": 90_000_001, "mode": "new" }));
        fleet.queues().publish_often("list", &nobodys, MESSAGES).await;
        let worker = consuming(fleet, &["--concurrency", "16"]).await;
        eventually("some are worked off", async || fleet.queues().ready("list").await < MESSAGES - WORKED_OFF).await;
        let peak = worker.peak_megabytes();
        println!("{MESSAGES} messages: {peak} MB at the most, {idle} MB idle");
        assert!(peak < idle + 32, "{peak} MB, {idle} MB idle");
        stop(worker).await;
        assert!(fleet.queues().purge("list").await > 0, "there was a backlog to the end");
        fleet.drain().await;
        fleet.is_true().await;
    });
}

#[test]
fn a_job_for_a_character_that_was_removed_meanwhile_is_acknowledged() {
    fleet(On::Services, World::of(3, 12), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        let id = fleet.simulator.pilots().await[0].character_id;
        fleet
            .database
            .execute(&format!(
                "update token_stream set expires_at = now() + interval '1 hour' where character_id <> {id}"
            ))
            .await;
        fleet.tick(&[]).await;
        let sync = json!({ "kind": "sync_list", "character_id": id, "mode": "full" });
        fleet.queues().publish("list", &message(&sync)).await;
        fleet.killfleet(&["character", "remove", &id.to_string(), "--yes"]).run().await.well();
        fleet.drain().await;
        fleet.is_true_but(Exceptions { unserved: vec![id], ..Exceptions::default() }).await;
        let counters = fleet.simulator.counters().await;
        assert!(!counters.list_calls_by_character.contains_key(&id), "{counters:?}");
        assert!(!counters.token_calls_by_character.contains_key(&id), "{counters:?}");
    });
}
