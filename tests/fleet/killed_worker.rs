//! A worker that is killed in the middle of its work: another one takes over at once, because the broker delivers its
//! messages again, and nothing is lost.
//!
//! What ESI has answered and a killed worker has not saved, nobody knows: it is asked for again. So that the counters
//! stay exact, each test kills a worker that is doing nothing else than what the test is about.

use serde_json::json;

use crate::harness::{Exceptions, Fleet, On, Tick, World, eventually, fleet};

#[test]
fn killed_at_a_page_of_a_list() {
    fleet(On::Services, World::of(3, 40).with("--page-size=5"), async |fleet: &Fleet| {
        let (character_id, _) = fleet.busiest().await;
        for page in [1, 3] {
            let hold = json!([{ "on": "list", "character_id": character_id, "page": page, "do": { "kind": "hold" } }]);
            fleet.simulator.fault(hold).await;
            fleet.simulator.reset_counters().await;
            if page == 1 {
                assert_eq!(fleet.tick(&[]).await, Tick::only_listed(3));
            }
            let worker = fleet.worker(&["--lanes", "list"]).start();
            fleet.simulator.has_bitten("hold").await;
            fleet.has_synced(2).await;
            worker.kill().await;
            let leased = format!("character where lease_until > now() and character_id = {character_id}");
            assert_eq!(fleet.database.count(&leased).await, 1, "its lease is in force");
            eventually("the message is back", async || fleet.queues().ready("list").await >= 1).await;
        }
        fleet.simulator.heal().await;
        fleet.drain().await;
        // The pages in front of the cut are saved; their follow-ups died with the worker and are hinted again.
        fleet.database.execute("update killmail_ref set hinted_at = hinted_at - interval '6 minutes'").await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

#[test]
fn killed_at_a_body() {
    fleet(On::Services, World::of(6, 60), async |fleet: &Fleet| {
        let (_, killmail_ids) = fleet.busiest().await;
        let held = killmail_ids[killmail_ids.len() / 2];
        fleet.simulator.fault(json!([{ "on": "detail", "killmail_id": held, "do": { "kind": "hold" } }])).await;
        fleet.tick(&[]).await;
        fleet.drain_lane("list").await;
        let worker = fleet.worker(&[]).start();
        fleet.simulator.has_bitten("hold").await;
        worker.kill().await;
        fleet.simulator.heal().await;
        eventually("the message is back", async || fleet.queues().ready("detail").await >= 1).await;
        fleet.drain().await;
        // Only what was on its way when it died, one for each of its four jobs, is asked for again.
        fleet.is_true_but(Exceptions { repeated_details: 4, ..Exceptions::default() }).await;
    });
}

fn killed_at_a_token_call(rotation: &str) {
    fleet(On::Services, World::of(5, 20).with(rotation), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        let (character_id, _) = fleet.busiest().await;
        let hold = json!([{ "on": "token", "character_id": character_id, "do": { "kind": "hold" } }]);
        fleet.simulator.fault(hold).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(5));
        let worker = fleet.worker(&["--lanes", "refresh"]).start();
        fleet.simulator.has_bitten("hold").await;
        worker.kill().await;
        fleet.simulator.heal().await;
        eventually("the message is back", async || fleet.queues().ready("refresh").await >= 1).await;
        fleet.refresh_leases_run_out().await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

#[test]
fn killed_at_a_token_call_and_no_login_is_harmed() {
    killed_at_a_token_call("--rotation=never");
}

#[test]
fn killed_at_a_token_call_with_rotation_and_no_login_is_harmed() {
    killed_at_a_token_call("--rotation=always");
}
