//! It goes on by itself: new killmails, retries, and what it says meanwhile.

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, Listener, On, Running, World, eventually, fleet};

async fn all_is_stored(fleet: &Fleet<'_>) {
    let stored = fleet.simulator.truth().await.killmails.len() as i64;
    eventually("all killmails are stored", async || fleet.database.count("killmail").await == stored).await;
}

/// On everybody's list: a killmail may have been stored by way of another one's.
async fn all_is_listed(fleet: &Fleet<'_>) {
    let lists = fleet.simulator.truth().await.lists;
    let listed = lists.iter().map(|list| list.killmail_ids.len() as i64).sum::<i64>();
    eventually("all lists are read", async || fleet.database.count("character_killmail").await == listed).await;
}

async fn stops(running: Running) -> Vec<String> {
    running.signal("TERM");
    running.ended().await.well().stdout
}

#[test]
fn new_killmails_come_as_soon_as_expires_allows_it() {
    fleet(On::Standalone, World::of(4, 12).with("--list-ttl-seconds=2"), async |fleet: &Fleet| {
        // Forced: by their tier they would be looked at again in five minutes.
        let running = fleet.standalone(&["--force", "--every", "1s"]).start();
        all_is_stored(fleet).await;
        let pilots = fleet.simulator.pilots().await;
        for pair in pilots.chunks(2) {
            fleet.simulator.fight(&[pair[0].character_id, pair[1].character_id], 3).await;
            all_is_stored(fleet).await;
        }
        all_is_listed(fleet).await;
        stops(running).await;
        fleet.is_true().await;
    });
}

#[test]
fn a_retry_comes_when_its_time_is_over_and_not_with_the_next_regular_tick() {
    fleet(On::Standalone, World::of(3, 12), async |fleet: &Fleet| {
        let wait = json!({ "kind": "answer", "status": 429, "headers": { "Retry-After": "2" } });
        fleet.simulator.fault(json!([{ "on": "detail", "times": 1, "do": wait }])).await;
        let running = fleet.standalone(&["--every", "1h"]).start();
        all_is_stored(fleet).await;
        stops(running).await;
        assert_eq!(fleet.simulator.counters().await.answers_with(429), 1);
        fleet.is_true_but(Exceptions { repeated_details: 1, ..Exceptions::default() }).await;
    });
}

#[test]
fn it_listens_and_every_line_is_json() {
    fleet(On::Standalone, World::of(3, 12), async |fleet: &Fleet| {
        let listener = Listener::somewhere();
        fleet.let_tokens_expire().await;
        let held = fleet.busiest().await.1[0];
        let hold = json!([{ "on": "detail", "killmail_id": held, "do": { "kind": "hold" } }]);
        fleet.simulator.fault(hold).await;
        let running = fleet.standalone(&[]).set("KILLFLEET_LISTEN", &*listener.address).start();
        listener.comes_to("/healthz", 200, "alive").await;
        listener.comes_to("/readyz", 200, "ready").await;
        fleet.simulator.has_bitten("hold").await;
        running.signal("TERM");
        listener.comes_to("/readyz", 503, "stopping").await;
        assert_eq!(listener.get("/healthz").await.map(|(code, _)| code), Some(200), "alive while it drains");
        fleet.simulator.heal().await;
        let ended = running.ended().await.well();
        assert!(ended.stdout.len() >= 2, "a tick and how it ended: {:?}", ended.stdout);
        for line in ended.stdout.iter().chain(&ended.stderr) {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(line.is_object(), "{line}");
        }

        // What the stop has left, and then all bodies once more.
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.forget_bodies().await;
        fleet.simulator.reset_counters().await;
        let running = fleet.standalone(&[]).set("KILLFLEET_LISTEN", &*listener.address).start();
        all_is_stored(fleet).await;
        listener.comes_to("/metrics", 200, "killfleet_killmails_stored_total 12").await;
        let (_, metrics) = listener.get("/metrics").await.expect("it listens");
        assert!(metrics.contains("killfleet_jobs_total{"), "{metrics}");
        assert!(!metrics.contains("eyJ") && !metrics.contains("Pilot"), "{metrics}");
        stops(running).await;
        fleet.is_true().await;
    });
}

#[test]
fn elsewhere_than_on_a_terminal_it_says_little() {
    fleet(On::Standalone, World::of(3, 12), async |fleet: &Fleet| {
        let plain = |arguments| fleet.standalone(arguments).unset("KILLFLEET_LOG_FORMAT").unset("KILLFLEET_LOG");
        let running = plain(&["--force", "--every", "1s"]).start();
        all_is_stored(fleet).await;
        assert_eq!(stops(running).await, ["3 characters, 12 killmails stored, 0 wanted"]);
        let drained = plain(&["--drain"]).run().await.well();
        assert_eq!(drained.stdout.len(), 2, "a tick and how it ended: {:?}", drained.stdout);
        assert!(drained.stdout[0].starts_with("due 0, "), "{:?}", drained.stdout);
        fleet.is_true().await;
    });
}
