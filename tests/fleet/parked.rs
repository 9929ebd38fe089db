//! `killfleet parked`: what was set aside is told of, tried again or given up, and what was done is written down.

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, On, World, fleet, message, on_both};

on_both![a_killmail_that_was_parked_is_replayed_and_stored, a_killmail_is_given_up_when_somebody_says_yes];

async fn parked(fleet: &Fleet<'_>, arguments: &[&str]) -> Value {
    let arguments = [&["parked"], arguments, &["--json"]].concat();
    let ended = fleet.killfleet(&arguments).set("USER", "jessamy").run().await.well();
    assert_eq!(ended.stdout.len(), 1);
    serde_json::from_str(&ended.stdout[0]).unwrap()
}

/// Makes ESI refuse one killmail until it is parked.
async fn refused_until_parked(fleet: &Fleet<'_>) -> i64 {
    let (_, killmail_ids) = fleet.busiest().await;
    let id = killmail_ids[0];
    let refuse = json!([{ "on": "detail", "killmail_id": id, "do": { "kind": "answer", "status": 404 } }]);
    fleet.simulator.fault(refuse).await;
    for _ in 0..3 {
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.make_due().await;
    }
    fleet.simulator.heal().await;
    id
}

fn a_killmail_that_was_parked_is_replayed_and_stored(on: On) {
    fleet(on, World::of(2, 8), async |fleet: &Fleet| {
        assert_eq!(parked(fleet, &["list"]).await["parked"], json!([]));
        let id = refused_until_parked(fleet).await;
        let listed = parked(fleet, &["list"]).await;
        let group = &listed["parked"][0];
        assert_eq!(listed["parked"].as_array().unwrap().len(), 1, "{listed}");
        assert_eq!(
            (&group["kind"], &group["state"], &group["count"]),
            (&json!("killmail"), &json!("parked"), &json!(1))
        );
        assert_eq!(group["example"], json!(format!("killmail:{id}")));
        assert!(group["cause"].as_str().unwrap().contains("404"), "{group}");
        assert_eq!(listed["messages_looked_at"], json!(on == On::Services));
        let text = fleet.killfleet(&["parked", "list", "--all"]).run().await.well().stdout;
        assert!(text[1].starts_with(&format!("killmail:{id}")), "{text:?}");
        assert_eq!(text.iter().any(|line| line.contains("KILLFLEET_AMQP_URL is not set")), on == On::Standalone);

        let number = id.to_string();
        let shown = parked(fleet, &["show", &number]).await;
        assert_eq!((&shown["state"], &shown["refusals"]), (&json!("parked"), &json!(3)));
        assert!(!shown["characters"].as_array().unwrap().is_empty(), "{shown}");
        fleet.killfleet(&["parked", "show", "killmail:1"]).run().await.with_code(1);
        fleet.killfleet(&["parked", "show", "list:1"]).run().await.with_code(2);
        fleet.killfleet(&["parked", "replay"]).run().await.with_code(2);

        let replayed = parked(fleet, &["replay", "--cause", "404", "--note", "ESI has mended it"]).await;
        assert_eq!(replayed, json!({ "done": [format!("killmail:{id}")], "left": [] }));
        let again = fleet.killfleet(&["parked", "replay", &number]).run().await.with_code(1);
        assert_eq!(again.stdout[0], format!("left killmail:{id}: it is not parked"));
        let done = &parked(fleet, &["show", &number]).await["actions"][0];
        assert_eq!((&done["operator"], &done["action"]), (&json!("jessamy"), &json!("replay")));
        assert_eq!(done["note"], "ESI has mended it");
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: 3, ..Exceptions::default() }).await;
    });
}

fn a_killmail_is_given_up_when_somebody_says_yes(on: On) {
    fleet(on, World::of(2, 8), async |fleet: &Fleet| {
        let id = refused_until_parked(fleet).await;
        let number = id.to_string();
        let before = fleet.database.contents().await;
        let unasked = fleet.killfleet(&["parked", "drop", &number]).run().await.with_code(2);
        assert!(unasked.stderr[0].contains("say --yes where nobody can be asked"), "{:?}", unasked.stderr);
        let pilot = fleet.simulator.pilots().await[0].character_id;
        let list =
            fleet.killfleet(&["parked", "drop", &format!("character:{pilot}"), "--yes"]).run().await.with_code(1);
        assert!(list.stdout[0].contains("no list is given up"), "{:?}", list.stdout);
        assert_eq!(fleet.database.contents().await, before);
        let dropped = parked(fleet, &["drop", "--all", "--yes"]).await;
        assert_eq!(dropped["done"], json!([format!("killmail:{id}")]));
        let group = &parked(fleet, &["list"]).await["parked"][0];
        assert_eq!((&group["state"], &group["cause"]), (&json!("invalid"), &json!("dropped by operator")));
        fleet.tick(&[]).await;
        fleet.drain().await;
        let exceptions = Exceptions { invalid: vec![id], repeated_details: 3, ..Exceptions::default() };
        fleet.is_true_but(exceptions).await;
    });
}

#[test]
fn messages_are_looked_up_in_the_rows_and_only_those_that_nobody_can_read_have_to_be_dropped() {
    fleet(On::Services, World::of(2, 8), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        let pilot = fleet.simulator.pilots().await[0].character_id;
        let (_, killmail_ids) = fleet.busiest().await;
        let jobs = [
            json!({ "kind": "fetch_details", "killmail_ids": [killmail_ids[0], 1] }),
            json!({ "kind": "sync_list", "character_id": pilot, "mode": "new" }),
            json!({ "kind": "sync_list", "character_id": 90_000_001, "mode": "new" }),
        ];
        for job in &jobs {
            let bytes = message(job);
            let id = serde_json::from_slice::<Value>(&bytes).unwrap()["job_id"].as_str().unwrap().to_owned();
            fleet.queues().publish_as("parked", &id, &bytes).await;
        }
        fleet.queues().publish("list", b"\x1b[2J garbage").await;
        fleet.drain().await;

        let listed = parked(fleet, &["list", "--all"]).await;
        let told: Vec<_> = listed["parked"].as_array().unwrap().iter().map(|entry| entry["now"].as_str()).collect();
        assert_eq!(told[0], Some("killmails: 1 stored, 1 unknown"));
        assert!(told[1].unwrap().contains("last result done, due again on "), "{told:?}");
        assert!(told[2].unwrap().contains("character 90000001 is not there any more"), "{told:?}");
        assert_eq!(told[3], None);
        let garbage = listed["parked"][3]["id"].as_str().unwrap();
        let shown = fleet.killfleet(&["parked", "show", garbage]).run().await.well().stdout;
        assert!(shown.iter().any(|line| line.contains(r"\u{1b}[2J garbage")), "{shown:?}");
        assert!(shown.iter().all(|line| !line.contains('\u{1b}')), "it must not steer a terminal");

        let replayed = parked(fleet, &["replay", "--all"]).await;
        assert_eq!(replayed["done"].as_array().unwrap().len(), 3, "{replayed}");
        assert_eq!(replayed["left"], json!([{ "id": garbage, "why": "nobody can read it: drop it" }]));
        assert_eq!(fleet.database.count("operator_action where action = 'replay' and operator = 'jessamy'").await, 3);
        fleet.is_true_but(Exceptions { parked_messages: 1, ..Exceptions::default() }).await;
        let dropped = parked(fleet, &["drop", garbage, "--yes"]).await;
        assert_eq!(dropped["done"], json!([garbage]));
        fleet.is_true().await;
        let gone = fleet.killfleet(&["parked", "drop", garbage, "--yes"]).run().await.with_code(1);
        assert!(gone.stdout[0].contains("not among the first messages"), "{:?}", gone.stdout);
    });
}
