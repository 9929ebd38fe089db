//! It is told to stop in the middle of its work.

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, On, Tick, World, eventually, fleet};

const STOPPING: &str = "stopping: no new work is taken";
const LEFT: [&str; 2] = [
    "character where hinted_at is not null or lease_until is not null",
    "killmail_ref where hinted_at is not null or lease_until is not null",
];

async fn nothing_is_hinted_or_leased(fleet: &Fleet<'_>) {
    for left in LEFT {
        assert_eq!(fleet.database.count(left).await, 0, "{left}");
    }
}

#[test]
fn the_first_signal_finishes_what_is_in_hand_and_leaves_the_rest_free() {
    for signal in ["TERM", "INT"] {
        fleet(On::Standalone, World::of(6, 60), async |fleet: &Fleet| {
            let held = fleet.busiest().await.1[0];
            let hold = json!([{ "on": "detail", "killmail_id": held, "do": { "kind": "hold" } }]);
            fleet.simulator.fault(hold).await;
            let running = fleet.standalone(&["--concurrency", "1"]).start();
            fleet.simulator.has_bitten("hold").await;
            running.signal(signal);
            running.says(STOPPING).await;
            fleet.simulator.heal().await;
            let ended = running.ended().await.well();

            assert_eq!(fleet.database.count(&format!("killmail where killmail_id = {held}")).await, 1);
            nothing_is_hinted_or_leased(fleet).await;
            let wanted = fleet.database.count("killmail_ref where state = 'wanted'").await;
            assert!(wanted > 0, "it was stopped in the middle");
            let last: Value = serde_json::from_str(ended.stdout.last().expect("it says how things are")).unwrap();
            assert_eq!(last["progress"]["killmails_wanted"], wanted);

            fleet.tick(&[]).await;
            fleet.drain().await;
            fleet.is_true().await;
        });
    }
}

#[test]
fn a_second_signal_cuts_at_once() {
    fleet(On::Standalone, World::of(4, 30), async |fleet: &Fleet| {
        fleet.simulator.fault(json!([{ "on": "detail", "do": { "kind": "hold" } }])).await;
        let running = fleet.standalone(&["--grace", "10m"]).start();
        fleet.simulator.has_bitten("hold").await;
        running.signal("TERM");
        running.says(STOPPING).await;
        running.signal("TERM");
        running.ended().await.with_code(1);
        fleet.simulator.heal().await;

        fleet.tick(&[]).await;
        fleet.drain().await;
        // One for each of its four jobs was on its way.
        fleet.is_true_but(Exceptions { repeated_details: 4, ..Exceptions::default() }).await;
    });
}

#[test]
fn what_does_not_end_within_the_grace_time_is_cut_and_goes_on_where_it_was() {
    fleet(On::Standalone, World::of(2, 30).with("--page-size=5"), async |fleet: &Fleet| {
        let (character_id, killmail_ids) = fleet.busiest().await;
        let hold = json!([{ "on": "list", "character_id": character_id, "page": 2, "do": { "kind": "hold" } }]);
        fleet.simulator.fault(hold).await;
        let running = fleet.standalone(&["--grace", "300ms"]).start();
        fleet.simulator.has_bitten("hold").await;
        fleet.has_synced(1).await;
        running.signal("TERM");
        running.ended().await.with_code(1);
        let resume = format!("select resume_page from character where character_id = {character_id}");
        assert_eq!(fleet.database.value::<i32>(&resume).await, 2, "page 1 is saved, page 2 is next");
        fleet.simulator.heal().await;

        fleet.tick(&[]).await;
        fleet.drain().await;
        let pages = killmail_ids.len().div_ceil(5) as u64;
        let calls = fleet.simulator.counters().await.list_calls_by_character[&character_id];
        assert_eq!(calls, pages + 1, "only the page whose answer was cut off is asked for again");
        fleet.is_true().await;
    });
}

#[test]
fn a_token_call_is_recorded_even_when_its_job_was_cut() {
    fleet(On::Standalone, World::of(2, 8).with("--rotation=always-kill-old"), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        let character_id = fleet.busiest().await.0;
        let hold = json!([{ "on": "token", "character_id": character_id, "do": { "kind": "hold" } }]);
        fleet.simulator.fault(hold).await;
        let running = fleet.standalone(&["--grace", "200ms"]).start();
        fleet.simulator.has_bitten("hold").await;
        fleet.has_synced(1).await;
        let wanted = "killmail_ref where state = 'wanted'";
        eventually("what is listed is stored", async || fleet.database.count(wanted).await == 0).await;
        running.signal("TERM");
        running.says("jobs are cut").await;
        fleet.simulator.heal().await;
        running.ended().await.with_code(1);
        let rotated = "token_stream where refresh_token_version = 2 and lease_until is null";
        assert_eq!(fleet.database.count(rotated).await, 2, "the provider has forgotten the old ones");

        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(1));
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("token"), counters.answers_with(400)), (2, 0));
        fleet.is_true().await;
    });
}
