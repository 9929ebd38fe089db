//! One file, one process that works on it: a second one is refused, the operator's commands are welcome.

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, On, World, eventually, fleet};

/// A body is held back, so that there is work in hand; which one.
async fn hold_a_body(fleet: &Fleet<'_>) -> i64 {
    let killmail_id = fleet.busiest().await.1[0];
    let hold = json!([{ "on": "detail", "killmail_id": killmail_id, "do": { "kind": "hold" } }]);
    fleet.simulator.fault(hold).await;
    killmail_id
}

fn path<'fleet>(fleet: &'fleet Fleet<'_>) -> &'fleet str {
    fleet.database.url().strip_prefix("sqlite:").expect("the URL of a file")
}

#[test]
fn a_second_process_on_the_same_file_is_refused_and_takes_nothing_over() {
    fleet(On::Standalone, World::of(3, 12), async |fleet: &Fleet| {
        let held = hold_a_body(fleet).await;
        let first = fleet.standalone(&[]).start();
        fleet.simulator.has_bitten("hold").await;
        let claim = format!("select fence, lease_until from killmail_ref where killmail_id = {held}");
        let before: Vec<(i64, Option<String>)> = fleet.database.rows(&claim).await;
        assert!(before[0].1.is_some(), "the first one holds it");

        let link = format!("{}.link", path(fleet));
        std::os::unix::fs::symlink(path(fleet), &link).unwrap();
        for name in [path(fleet), &link] {
            let second = fleet.standalone(&["--drain"]).set("KILLFLEET_DATABASE_URL", format!("sqlite:{name}"));
            let second = second.unset("KILLFLEET_LOG_FORMAT").run().await.with_code(1);
            let line = second.stderr.last().expect("it says why");
            let holder = format!("{name} is in use by another killfleet (pid {}): stop it first", first.id());
            assert!(line.contains(&holder), "{line}");
            assert!(second.stdout.is_empty(), "{:?}", second.stdout);
        }
        assert_eq!(fleet.database.rows::<(i64, Option<String>)>(&claim).await, before, "it is still the first one's");

        fleet.simulator.heal().await;
        let stored = format!("killmail where killmail_id = {held}");
        eventually("it is stored", async || fleet.database.count(&stored).await == 1).await;
        first.signal("TERM");
        first.ended().await.well();
        fleet.is_true().await;
    });
}

#[test]
fn a_killed_one_holds_nobody_up() {
    fleet(On::Standalone, World::of(3, 12), async |fleet: &Fleet| {
        hold_a_body(fleet).await;
        let first = fleet.standalone(&[]).start();
        fleet.simulator.has_bitten("hold").await;
        first.kill().await;
        fleet.simulator.heal().await;
        // No lease and no hint has run out by now, and none has to.
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: 4, ..Exceptions::default() }).await;
    });
}

#[test]
fn commands_look_into_the_file_and_bring_characters_while_it_works() {
    fleet(On::Standalone, World::of(3, 12).nobody_signed_in(), async |fleet: &Fleet| {
        let running = fleet.standalone(&["--every", "1s"]).start();
        running.says("killfleet standalone starts").await;
        fleet.sign_everybody_in().await;
        fleet.has_synced(3).await;
        let stored = fleet.simulator.truth().await.killmails.len();
        let is_stored = async || fleet.database.count("killmail").await == stored as i64;
        eventually("all bodies are stored", is_stored).await;

        let printed = async |arguments: &[&str]| -> Value {
            let ended = fleet.killfleet(arguments).run().await.well();
            serde_json::from_str(&ended.stdout.concat()).expect("it prints JSON")
        };
        let status = printed(&["status", "--json"]).await;
        assert_eq!((&status["characters"], &status["killmails_stored"]), (&json!(3), &json!(stored)));
        let characters = printed(&["character", "list", "--json"]).await;
        assert_eq!(characters.as_array().map(Vec::len), Some(3));

        running.signal("TERM");
        running.ended().await.well();
        fleet.is_true().await;
    });
}
