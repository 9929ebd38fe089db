//! `killfleet move`: what one process has gathered in a file goes on in a fleet, and the file is not used any more.

use serde_json::Value;

use crate::harness::{Fleet, On, Process, TemporaryFolder, World, fleet, free_port};

#[test]
fn a_fleet_goes_on_where_the_file_has_ended_and_nothing_is_asked_for_again() {
    let world = World::of(4, 30).with_real_killmails().with("--list-ttl-seconds=1").with("--rotation=always-kill-old");
    fleet(On::Services, world.nobody_signed_in(), async |fleet: &Fleet| {
        let folder = TemporaryFolder::new();
        let url = format!("sqlite:{}", folder.path().join("one.db").display());
        let on_file = async |process: Process<'_>| {
            process.set("KILLFLEET_DATABASE_URL", &*url).unset("KILLFLEET_AMQP_URL").run().await
        };
        on_file(fleet.killfleet(&["migrate"])).await.well();
        let pilots = fleet.simulator.pilots().await;
        for pilot in &pilots {
            on_file(fleet.add(pilot.character_id, pilot.refresh_token.as_deref().unwrap())).await.well();
        }
        on_file(fleet.standalone(&["--drain"])).await.well();
        fleet.simulator.reset_counters().await;

        let arguments = ["move", "--from", &url, "--to", fleet.database.url()];
        let moved = fleet.killfleet(&arguments).run().await.well();
        let told = moved.stdout.join("\n");
        for table in ["killmail", "killmail_participant", "killmail_ref", "character", "token_stream", "sync_run"] {
            let row = moved.stdout.iter().find(|line| line.split_whitespace().next() == Some(table));
            let row = row.unwrap_or_else(|| panic!("no row for {table} in: {told}"));
            assert!(row.ends_with(" yes"), "{row}");
        }
        let again = fleet.killfleet(&[&arguments[..], &["--json"]].concat()).run().await.well();
        let again: Value = serde_json::from_str(&again.stdout.concat()).unwrap();
        assert!(again["finished_at"].is_string(), "{again}");

        // The file is nobody's any more.
        let login = fleet.killfleet(&["login", "--print-url", "--port", &free_port().to_string()]);
        let replay = fleet.killfleet(&["parked", "replay", "--all"]);
        let add = fleet.add(pilots[0].character_id, "another-token");
        for process in [fleet.standalone(&["--drain"]), add, login, replay] {
            let refused = on_file(process).await.with_code(1);
            let line = refused.stderr.last().expect("it says why");
            assert!(line.contains("was moved to 127.0.0.1") && line.contains("--take-back"), "{line}");
        }
        let counters = fleet.simulator.counters().await;
        assert!(counters.requests.values().all(|requests| *requests == 0), "nobody was asked: {:?}", counters.requests);

        // The fleet is at home: tokens are good, lists are known, only what is new is fetched.
        fleet.lists_have_expired().await;
        let fought = fleet.simulator.fight(&[pilots[0].character_id, pilots[1].character_id], 3).await;
        fleet.let_tokens_expire().await;
        assert_eq!(fleet.tick(&["--force"]).await.queued_refresh, 4);
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!(counters.detail_calls_by_killmail.clone().into_keys().collect::<Vec<_>>(), fought);
        assert_eq!((counters.answers_with(304), counters.answers_with(400)), (2, 0));
        fleet.is_true().await;

        on_file(fleet.killfleet(&["move", "--take-back", "--from", &url])).await.well();
        let status = on_file(fleet.killfleet(&["status", "--json"])).await.well();
        let status: Value = serde_json::from_str(&status.stdout.concat()).unwrap();
        assert_eq!(status["killmails_stored"].as_i64(), Some(56), "it still holds what it held");
    });
}
