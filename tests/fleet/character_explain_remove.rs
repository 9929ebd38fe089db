//! `killfleet character explain` and `remove`: why a character is served or not, and how it goes.

use serde_json::Value;

use crate::harness::{Fleet, On, World, fleet, on_both};

on_both![every_state_of_a_character_is_explained, a_character_is_removed_when_somebody_says_yes];

async fn explain(fleet: &Fleet<'_>, character_id: i64) -> (Value, String) {
    let id = character_id.to_string();
    let text = fleet.killfleet(&["character", "explain", &id]).run().await.well().stdout.join("\n");
    let json = fleet.killfleet(&["character", "explain", &id, "--json"]).run().await.well();
    assert_eq!(json.stdout.len(), 1);
    (serde_json::from_str(&json.stdout[0]).unwrap(), text)
}

fn every_state_of_a_character_is_explained(on: On) {
    fleet(on, World::of(1, 4), async |fleet: &Fleet| {
        let id = fleet.simulator.pilots().await[0].character_id;
        let (told, text) = explain(fleet, id).await;
        assert_eq!((&told["verdict"]["is_served"], &told["verdict"]["because"]), (&true.into(), &"good_token".into()));
        assert!(text.contains(&format!("{id} Pilot {id}")) && text.contains("the next tick: it is due"), "{text}");

        let pause = "insert into fleet_pause (scope, reason, until)";
        fleet.database.execute(&format!("{pause} values ('sso', 'a drill', now() + interval '1 hour')")).await;
        assert!(explain(fleet, id).await.1.contains("the next tick: it is due"), "its token is good");
        fleet.database.execute(&format!("{pause} values ('esi', 'a drill', now() + interval '1 hour')")).await;
        let (told, text) = explain(fleet, id).await;
        assert!(text.contains("the end of a pause, at ") && text.contains("esi: a drill, until "), "{text}");
        assert_eq!(told["pauses"].as_array().unwrap().len(), 2);
        fleet.database.execute("delete from fleet_pause").await;

        fleet.tick(&[]).await;
        fleet.drain().await;
        let (told, text) = explain(fleet, id).await;
        assert_eq!((&told["killmails_listed"], &told["killmails_stored"]), (&4.into(), &4.into()));
        assert!(text.contains("ESI's copy of its list, at ") || text.contains("its turn, at "), "{text}");
        assert_eq!(told["last_runs"].as_array().unwrap().len(), 1);

        fleet.let_tokens_expire().await;
        let (told, text) = explain(fleet, id).await;
        assert_eq!(
            (&told["verdict"]["because"], &told["verdict"]["token_stream_id"]),
            (&"after_a_refresh".into(), &1.into())
        );
        assert!(text.contains("yes, once token stream 1 is refreshed"), "{text}");

        // Never said with another word than the one that the scheduler decides by.
        for (change, because, words) in [
            (
                "update token_stream set state = 'suspect', strikes = 1, next_probe_at = now() + interval '15 minutes'",
                "waiting_for_probe",
                "the next try of its login, at ",
            ),
            (
                "update token_stream set state = 'dead', next_probe_at = null",
                "needs_login",
                "its pilot, who has to sign in",
            ),
            (
                "update token_stream set access_token_sealed = null, refresh_token_sealed = null",
                "both_tokens_missing",
                "it has no login",
            ),
        ] {
            fleet.database.execute(change).await;
            let (told, text) = explain(fleet, id).await;
            assert_eq!((&told["verdict"]["is_served"], &told["verdict"]["because"]), (&false.into(), &because.into()));
            assert!(text.contains(words), "no {words:?} in {text}");
        }
        let ended = fleet.killfleet(&["character", "explain", "90000001"]).run().await.with_code(1);
        assert!(ended.stderr.last().unwrap().contains("there is no character 90000001"), "{:?}", ended.stderr);
        fleet.killfleet(&["character", "explain", "somebody"]).run().await.with_code(2);
    });
}

fn a_character_is_removed_when_somebody_says_yes(on: On) {
    fleet(on, World::of(2, 4).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
        fleet.lists_have_expired().await;
        let pilots = fleet.simulator.pilots().await;
        let id = pilots[0].character_id.to_string();
        let before = fleet.database.contents().await;
        let unasked = fleet.killfleet(&["character", "remove", &id]).run().await.with_code(2);
        assert!(unasked.stderr[0].contains("say --yes where nobody can be asked"), "{:?}", unasked.stderr);
        let stranger = fleet.killfleet(&["character", "remove", "90000001", "--yes"]).run().await.with_code(1);
        assert!(stranger.stderr.last().unwrap().contains("there is no character"), "{:?}", stranger.stderr);
        assert_eq!(fleet.database.contents().await, before);

        let removed = fleet.killfleet(&["character", "remove", &id, "--yes"]).run().await.well();
        assert!(removed.stdout[0].ends_with("was removed, with 1 token streams"), "{:?}", removed.stdout);
        let left: Vec<(i64,)> = fleet.database.rows("select character_id from character").await;
        assert_eq!(left, [(pilots[1].character_id,)]);
        assert_eq!(fleet.database.count("killmail").await, 4, "killmails stay");

        // It may come back at any time, and nothing is fetched twice.
        fleet.simulator.reset_counters().await;
        fleet.add(pilots[0].character_id, pilots[0].refresh_token.as_deref().unwrap()).run().await.well();
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
        assert!(fleet.simulator.counters().await.detail_calls_by_killmail.is_empty());
    });
}
