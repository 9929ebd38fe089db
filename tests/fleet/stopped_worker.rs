//! A worker that is told to stop in the middle of its work.

use serde_json::json;

use crate::harness::{Exceptions, Fleet, On, World, eventually, fleet, free_port};

const STOPPING: &str = "stopping: no new work is taken";

#[test]
fn the_first_signal_finishes_what_is_in_hand_and_hands_back_the_rest() {
    for signal in ["TERM", "INT"] {
        fleet(On::Services, World::of(6, 60), async |fleet: &Fleet| {
            fleet.tick(&[]).await;
            fleet.drain_lane("list").await;
            let (_, killmail_ids) = fleet.busiest().await;
            let held = killmail_ids[0];
            fleet.simulator.fault(json!([{ "on": "detail", "killmail_id": held, "do": { "kind": "hold" } }])).await;
            let worker = fleet.worker(&["--concurrency", "1"]).start();
            fleet.simulator.has_bitten("hold").await;
            worker.signal(signal);
            worker.says(STOPPING).await;
            fleet.simulator.heal().await;
            worker.ended().await.well();

            // What was in hand is finished: the held one is stored, and no row is leased.
            assert_eq!(fleet.database.count(&format!("killmail where killmail_id = {held}")).await, 1);
            assert_eq!(fleet.database.count("killmail_ref where lease_until is not null").await, 0);
            let wanted = fleet.database.count("killmail_ref where state = 'wanted'").await;
            assert!(wanted > 0, "the worker was stopped in the middle");
            eventually("the rest is back in the queue", async || fleet.queues().ready("detail").await > 0).await;

            fleet.drain().await;
            fleet.is_true().await;
        });
    }
}

#[test]
fn a_second_signal_cuts_at_once() {
    fleet(On::Services, World::of(4, 30), async |fleet: &Fleet| {
        fleet.simulator.fault(json!([{ "on": "detail", "do": { "kind": "hold" } }])).await;
        fleet.tick(&[]).await;
        fleet.drain_lane("list").await;
        let worker = fleet.worker(&["--grace", "10m"]).start();
        fleet.simulator.has_bitten("hold").await;
        worker.signal("TERM");
        worker.says(STOPPING).await;
        worker.signal("TERM");
        worker.ended().await.with_code(1);
        fleet.simulator.heal().await;

        eventually("the messages are back", async || fleet.queues().ready("detail").await > 0).await;
        fleet.drain().await;
        // One for each of its four jobs was on its way.
        fleet.is_true_but(Exceptions { repeated_details: 4, ..Exceptions::default() }).await;
    });
}

#[test]
fn a_worker_that_never_reached_the_broker_stops_too() {
    fleet(On::Services, World::of(1, 1), async |fleet: &Fleet| {
        let nowhere = format!("amqp://guest:guest@127.0.0.1:{}/%2f", free_port());
        let worker = fleet.worker(&["--grace", "10m"]).set("KILLFLEET_AMQP_URL", nowhere).start();
        worker.says("no broker answers at 127.0.0.1").await;
        worker.signal("TERM");
        worker.ended().await.well();
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}
