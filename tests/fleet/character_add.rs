//! `killfleet character add`: a refresh token becomes a login, or nothing is written.

use std::collections::BTreeMap;

use crate::harness::{Fleet, On, World, fleet, on_both};

on_both![
    what_is_no_login_leaves_nothing_behind,
    the_same_token_twice_is_harmless_and_another_login_adds_a_stream,
    a_login_without_the_scope_is_named_and_another_one_goes_on_serving,
];

fn what_is_no_login_leaves_nothing_behind(on: On) {
    fleet(on, World::of(2, 4).nobody_signed_in(), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let [one, other] = [pilots[0].character_id, pilots[1].character_id];
        let token = pilots[0].refresh_token.as_deref().expect("a new pilot has a token");
        let before = all_but_events(fleet).await;
        let cases = [
            ("a token that nobody issued", one, "this-is-no-token-of-anybody", 1, "invalid_grant"),
            ("a token of another character", other, token, 1, "belongs to character"),
            ("a character that does not exist", 90_000_001, token, 1, "belongs to character"),
            ("no token at all", one, "", 2, "standard input is empty"),
            ("two tokens", one, "one two", 2, "more than one word"),
        ];
        for (what, character_id, token, code, words) in cases {
            let ended = fleet.add(character_id, token).set("KILLFLEET_LOG", "error").run().await.with_code(code);
            assert!(ended.stderr.iter().any(|line| line.contains(words)), "{what}: {:?}", ended.stderr);
            assert_eq!(all_but_events(fleet).await, before, "{what}");
        }
        // A mistake of this one command line: nobody else has to suffer for it.
        fleet.add(one, token).set("KILLFLEET_CLIENT_SECRET", "wrong").run().await.with_code(2);
        assert_eq!(all_but_events(fleet).await, before, "a refused client");
    });
}

fn the_same_token_twice_is_harmless_and_another_login_adds_a_stream(on: On) {
    fleet(on, World::of(1, 4).nobody_signed_in(), async |fleet: &Fleet| {
        let pilot = fleet.simulator.pilots().await.remove(0);
        let token = pilot.refresh_token.expect("a new pilot has a token");
        let add = ["character", "add", "--character-id", &pilot.character_id.to_string(), "--name", &pilot.name];
        let first = fleet.killfleet(&add).stdin(&token).run().await.well();
        assert!(first.stdout[0].contains("is signed in"), "{:?}", first.stdout);
        let stored = "select token_stream_id, refresh_token_sealed from token_stream";
        let first_stream: Vec<(i64, Vec<u8>)> = fleet.database.rows(stored).await;
        let second = fleet.killfleet(&add).stdin(&format!("\n {token} \n")).run().await.well();
        assert!(second.stdout[0].contains("stored already"), "{:?}", second.stdout);
        assert_eq!(fleet.database.rows::<(i64, Vec<u8>)>(stored).await, first_stream);

        let another = fleet.simulator.login(pilot.character_id).await;
        fleet.killfleet(&add).stdin(&another).run().await.well();
        let streams: Vec<(String, bool, bool)> = fleet
            .database
            .rows(
                "select state, access_token_sealed is not null, refresh_token_sealed is not null
                 from token_stream order by token_stream_id",
            )
            .await;
        assert_eq!(streams, [("active".to_owned(), true, true), ("active".to_owned(), true, true)]);
        let rows: Vec<(i64, String, bool)> =
            fleet.database.rows(r#"select character_id, character_name, needs_login from "user""#).await;
        assert_eq!(rows, [(pilot.character_id, pilot.name.clone(), false)]);
        let listed = fleet.killfleet(&["character", "list", "--json"]).run().await.well();
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout.join("")).unwrap();
        assert_eq!((listed[0]["character_id"].as_i64(), &listed[0]["streams"]), (Some(pilot.character_id), &2.into()));

        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

fn a_login_without_the_scope_is_named_and_another_one_goes_on_serving(on: On) {
    fleet(on, World::of(1, 4).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        let pilot = fleet.simulator.pilots().await.remove(0);
        let token = fleet.simulator.login_for(pilot.character_id, &["esi-skills.read_skills.v1"]).await;
        let ended = fleet.add(pilot.character_id, &token).run().await.with_code(1);
        let line = ended.stderr.last().expect("it says why");
        assert!(line.contains("does not hold the scope esi-killmails.read_killmails.v1"), "{line}");
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;

        // Alone it serves nobody, and its character is not queued.
        fleet.database.execute("delete from token_stream where token_stream_id = 1").await;
        fleet.make_due().await;
        fleet.lists_have_expired().await;
        let tick = fleet.tick(&[]).await;
        assert_eq!(tick.skipped.get("scope_missing"), Some(&1), "{tick:?}");
        fleet.is_true().await;
    });
}

/// Every row but the record of what has happened, which is only ever added to.
async fn all_but_events(fleet: &Fleet<'_>) -> BTreeMap<String, Vec<String>> {
    let mut contents = fleet.database.contents().await;
    contents.remove("token_event").unwrap();
    contents
}
