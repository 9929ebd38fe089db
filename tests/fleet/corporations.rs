//! Lists of corporations: read with the login of a director, whoever that is just now; ESI is not asked again and again
//! what it has refused.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Exceptions, Fleet, On, Tick, World, fleet, on_both};

on_both![
    the_director_among_the_members_is_found_and_its_token_is_used,
    who_is_no_director_is_asked_once_a_day_at_the_most,
    when_the_director_leaves_another_takes_over_in_the_same_job,
    one_directors_endless_trouble_does_not_keep_another_from_reading,
    directors_take_turns_and_share_a_long_walk,
    corporations_of_logins_are_read_by_themselves_if_it_is_set_so,
    one_that_esi_does_not_know_keeps_nobody_else_from_being_learned,
    a_route_that_refuses_everybody_is_not_asked_with_every_tick,
    affiliations_wait_while_esi_is_in_trouble,
    a_pilots_own_list_goes_on_whatever_becomes_of_the_corporation,
];

const LIST_SCOPE: &str = "esi-killmails.read_killmails.v1";
const CORPORATION_SCOPE: &str = "esi-killmails.read_corporation_killmails.v1";
const REFUSED: &str = "token_stream where scope_refused_at is not null";

/// Pilots of one corporation, which is added, with logins for both lists; their own lists have been read.
async fn signed_in(fleet: &Fleet<'_>) -> (i64, Vec<i64>) {
    let pilots = fleet.simulator.pilots().await;
    let corporation_id = pilots[0].corporation_id;
    let mut ids = Vec::new();
    for pilot in pilots {
        let id = pilot.character_id;
        assert_eq!(pilot.corporation_id, corporation_id, "a small world has one corporation");
        let token = fleet.simulator.login_for(id, &[LIST_SCOPE, CORPORATION_SCOPE]).await;
        fleet.add(id, &token).run().await.well();
        ids.push(id);
    }
    let characters = ids.len() as u64;
    assert_eq!(fleet.tick(&[]).await, Tick::only_listed(characters), "nobody has asked for corporations");
    fleet.drain().await;
    let added = fleet.killfleet(&["corporation", "add", &corporation_id.to_string()]).run().await.well();
    assert!(added.stdout[0].contains("was added"), "{:?}", added.stdout);
    fleet.simulator.reset_counters().await;
    (corporation_id, ids)
}

async fn work(fleet: &Fleet<'_>, expected: Tick) {
    assert_eq!(fleet.tick(&[]).await, expected);
    fleet.drain().await;
}

/// These and no others are directors.
async fn directors_are(fleet: &Fleet<'_>, all: &[i64], directors: &[i64]) {
    for id in all {
        fleet.simulator.change(*id, &json!({ "is_director": directors.contains(id) })).await;
    }
}

async fn corporation_is_due(fleet: &Fleet<'_>) {
    fleet.lists_have_expired().await;
    fleet.database.execute("update corporation set next_sync_at = now()").await;
}

/// A character with a login that ESI does not know.
async fn is_gone_from_eve(fleet: &Fleet<'_>, id: i64) {
    let later = "now() + interval '1 day'";
    let character =
        format!("insert into character (character_id, character_name, next_sync_at) values ({id}, 'Gone', {later})");
    fleet.database.execute(&character).await;
    let scopes = format!("select {id}, granted_scopes from token_stream limit 1");
    fleet.database.execute(&format!("insert into token_stream (character_id, granted_scopes) {scopes}")).await;
}

async fn read(fleet: &Fleet<'_>, corporation_id: i64) {
    fleet.is_true_but(Exceptions { read_corporations: vec![corporation_id], ..Exceptions::default() }).await;
}

fn world(characters: u32, killmails: u32) -> World {
    World::of(characters, killmails).with("--list-ttl-seconds=1").nobody_signed_in()
}

fn the_director_among_the_members_is_found_and_its_token_is_used(on: On) {
    fleet(on, world(4, 20), async |fleet: &Fleet| {
        let (corporation_id, pilots) = signed_in(fleet).await;
        directors_are(fleet, &pilots, &pilots[2..3]).await;
        work(fleet, Tick::only_affiliations(4)).await;
        work(fleet, Tick::only_corporations(1)).await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("affiliation"), counters.requests_to("corporation_list")), (1, 3));
        assert_eq!(counters.answers_with(403), 2);
        assert_eq!(counters.tokens_spent["corp-killmail"], 5 + 5 + 2);
        assert_eq!(fleet.database.count(REFUSED).await, 2);
        read(fleet, corporation_id).await;

        // Nobody else is tried from now on, and what has not changed costs one token.
        for round in 1..=3 {
            corporation_is_due(fleet).await;
            work(fleet, Tick::only_corporations(1)).await;
            let counters = fleet.simulator.counters().await;
            assert_eq!((counters.answers_with(403), counters.answers_with(304)), (2, round));
        }
        let fought = fleet.simulator.fight(&pilots[..2], 3).await;
        corporation_is_due(fleet).await;
        work(fleet, Tick::only_corporations(1)).await;
        let stored = format!("killmail where killmail_id >= {}", fought[0]);
        assert_eq!(fleet.database.count(&stored).await, 3, "the corporation's list has brought them");
        let listed = fleet.killfleet(&["corporation", "list"]).run().await.well();
        assert!(listed.stdout[1].contains(&format!("{corporation_id}        4         1")), "{:?}", listed.stdout);
        assert_eq!(fleet.database.count("corporation_freshness where directors = 1 and seen_to_the_end").await, 1);
    });
}

fn who_is_no_director_is_asked_once_a_day_at_the_most(on: On) {
    fleet(on, world(7, 10), async |fleet: &Fleet| {
        let (_, pilots) = signed_in(fleet).await;
        directors_are(fleet, &pilots, &[]).await;
        work(fleet, Tick::only_affiliations(7)).await;
        // Five of them, then the other two, then nobody.
        for refused in [5, 7, 7, 7] {
            work(fleet, Tick::only_corporations(1)).await;
            let counters = fleet.simulator.counters().await;
            assert_eq!((counters.answers_with(403), counters.requests_to("corporation_list")), (refused, refused));
            assert_eq!(fleet.database.count(REFUSED).await, refused as i64);
            let waits = "corporation where last_verdict = 'retry' and attempt = 0 and next_sync_at > now() + interval '10 minutes'";
            assert_eq!(fleet.database.count(waits).await, 1);
            assert_eq!(fleet.tick(&[]).await, Tick::default());
            fleet.drain().await;
            corporation_is_due(fleet).await;
        }
        // A day later one of them is a director.
        directors_are(fleet, &pilots, &pilots[..1]).await;
        let a_day_later = "update token_stream set scope_refused_at = scope_refused_at - interval '24 hours'";
        fleet.database.execute(a_day_later).await;
        work(fleet, Tick::only_corporations(1)).await;
        assert_eq!(fleet.simulator.counters().await.answers_with(403), 7);
        assert_eq!(fleet.database.count("corporation where last_verdict = 'done'").await, 1);
        assert_eq!(
            fleet
                .database
                .count(&format!("token_event where event = 'scope_accepted' and detail = '{CORPORATION_SCOPE}'"))
                .await,
            1
        );
    });
}

fn when_the_director_leaves_another_takes_over_in_the_same_job(on: On) {
    fleet(on, world(3, 20), async |fleet: &Fleet| {
        let (corporation_id, pilots) = signed_in(fleet).await;
        directors_are(fleet, &pilots, &pilots[..1]).await;
        work(fleet, Tick::only_affiliations(3)).await;
        work(fleet, Tick::only_corporations(1)).await;
        fleet.simulator.change(pilots[0], &json!({ "corporation_id": corporation_id + 1 })).await;
        directors_are(fleet, &pilots[1..], &pilots[1..2]).await;
        fleet.simulator.reset_counters().await;
        corporation_is_due(fleet).await;
        work(fleet, Tick::only_corporations(1)).await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("corporation_list"), counters.answers_with(403)), (2, 1));
        // Where the one who left is now is asked at once, and it is remembered.
        work(fleet, Tick::only_affiliations(1)).await;
        let moved = format!("character where character_id = {} and corporation_id = {}", pilots[0], corporation_id + 1);
        assert_eq!(fleet.database.count(&moved).await, 1);
        assert_eq!(fleet.database.count(REFUSED).await, 0, "it may be a director of the other one");
        corporation_is_due(fleet).await;
        work(fleet, Tick::only_corporations(1)).await;
        assert_eq!(fleet.simulator.counters().await.answers_with(403), 1);
    });
}

fn one_directors_endless_trouble_does_not_keep_another_from_reading(on: On) {
    fleet(on, world(2, 10), async |fleet: &Fleet| {
        let (corporation_id, pilots) = signed_in(fleet).await;
        directors_are(fleet, &pilots, &pilots).await;
        work(fleet, Tick::only_affiliations(2)).await;
        fleet.let_tokens_expire().await;
        // Of two of whom nothing is known the first comes first.
        let trouble = json!({ "kind": "answer", "status": 503, "body": "" });
        fleet.simulator.fault(json!([{ "on": "token", "character_id": pilots[0], "do": trouble }])).await;
        work(fleet, Tick::only_corporations(1)).await;
        assert_eq!(fleet.simulator.counters().await.token_calls_by_character[&pilots[0]], 1);
        assert_eq!(fleet.database.count("corporation where last_verdict = 'done'").await, 1);
        read(fleet, corporation_id).await;
    });
}

fn directors_take_turns_and_share_a_long_walk(on: On) {
    fleet(on, world(2, 80).with("--page-size=2"), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        assert!(pilots.iter().all(|pilot| pilot.killmail_ids.len() > 30), "more pages than one bucket pays for");
        // Their own lists are as long: here only the corporation's counts.
        let corporation_id = pilots[0].corporation_id;
        for pilot in &pilots {
            let token = fleet.simulator.login_for(pilot.character_id, &[LIST_SCOPE, CORPORATION_SCOPE]).await;
            fleet.add(pilot.character_id, &token).run().await.well();
        }
        fleet.database.execute("update character set next_sync_at = now() + interval '1 hour'").await;
        fleet.killfleet(&["corporation", "add", &corporation_id.to_string()]).run().await.well();
        let ids: Vec<i64> = pilots.iter().map(|pilot| pilot.character_id).collect();
        directors_are(fleet, &ids, &ids).await;
        work(fleet, Tick::only_affiliations(2)).await;
        work(fleet, Tick::only_corporations(1)).await;
        // Each bucket holds 30 tokens, and 6 are left in it: 13 pages of each director.
        let counters = fleet.simulator.counters().await;
        assert_eq!(counters.requests_to("corporation_list"), 26);
        let resume: i32 = fleet.database.value("select resume_page from corporation").await;
        assert_eq!(resume, 27);
        assert_eq!(
            fleet.database.count("corporation where attempt = 0 and next_sync_at > now() + interval '5 minutes'").await,
            1
        );
        assert_eq!(fleet.database.count("character where director_at is not null").await, 2);
        assert_eq!(counters.budget_overdrawn, 0);
    });
}

fn corporations_of_logins_are_read_by_themselves_if_it_is_set_so(on: On) {
    fleet(on, world(3, 20).setting("KILLFLEET_CORPORATIONS", "all"), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let (director, npc, without_scope) = (&pilots[0], &pilots[1], &pilots[2]);
        fleet.simulator.change(npc.character_id, &json!({ "corporation_id": 1_000_125, "is_director": true })).await;
        fleet.simulator.change(director.character_id, &json!({ "is_director": true })).await;
        for (pilot, scopes) in [
            (director, &[LIST_SCOPE, CORPORATION_SCOPE][..]),
            (npc, &[LIST_SCOPE, CORPORATION_SCOPE]),
            (without_scope, &[LIST_SCOPE]),
        ] {
            let token = fleet.simulator.login_for(pilot.character_id, scopes).await;
            fleet.add(pilot.character_id, &token).run().await.well();
        }
        fleet.simulator.reset_counters().await;
        let both = Tick { queued_affiliations: 2, ..Tick::only_listed(3) };
        work(fleet, both).await;
        work(fleet, Tick::only_corporations(1)).await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("corporation_list"), counters.answers_with(403)), (1, 0));
        read(fleet, director.corporation_id).await;
        let removed = ["corporation", "remove", &director.corporation_id.to_string()];
        fleet.killfleet(&removed).run().await.well();
        fleet.killfleet(&removed).run().await.with_code(1);
        assert_eq!(fleet.database.count("corporation_killmail").await, 0);
    });
}

fn one_that_esi_does_not_know_keeps_nobody_else_from_being_learned(on: On) {
    fleet(on, world(3, 10), async |fleet: &Fleet| {
        let (corporation_id, pilots) = signed_in(fleet).await;
        is_gone_from_eve(fleet, 1).await;
        directors_are(fleet, &pilots, &pilots[..1]).await;
        work(fleet, Tick::only_affiliations(4)).await;
        let known = format!("character where corporation_id = {corporation_id}");
        assert_eq!(fleet.database.count(&known).await, 3);
        assert_eq!(fleet.database.count("character where corporation_id is null").await, 1);
        assert_eq!(fleet.simulator.counters().await.requests_to("affiliation"), 5, "four, two twice, one twice");
        work(fleet, Tick::only_corporations(1)).await;
        assert_eq!(fleet.database.count("corporation where last_verdict = 'done'").await, 1);
    });
}

fn a_route_that_refuses_everybody_is_not_asked_with_every_tick(on: On) {
    fleet(on, world(1, 1), async |fleet: &Fleet| {
        let (_, pilots) = signed_in(fleet).await;
        for id in 1..=40 {
            is_gone_from_eve(fleet, id).await;
        }
        let body = r#"{"error":"bad request"}"#;
        let refusal = json!({ "kind": "answer", "status": 400, "body": body });
        fleet.simulator.fault(json!([{ "on": "affiliation", "do": refusal }])).await;
        work(fleet, Tick::only_affiliations(41)).await;
        assert_eq!(fleet.simulator.counters().await.requests_to("affiliation"), 24);
        work(fleet, Tick::only_corporations(1)).await;
        let later = "character where affiliation_due_at > now() + interval '50 minutes'";
        assert_eq!(fleet.database.count(later).await, 40 + pilots.len() as i64);
    });
}

fn affiliations_wait_while_esi_is_in_trouble(on: On) {
    fleet(on, world(2, 10), async |fleet: &Fleet| {
        let (_, pilots) = signed_in(fleet).await;
        directors_are(fleet, &pilots, &pilots[..1]).await;
        fleet
            .simulator
            .fault(json!([{ "on": "affiliation", "do": { "kind": "answer", "status": 502, "body": "" } }]))
            .await;
        work(fleet, Tick::only_affiliations(2)).await;
        assert_eq!(fleet.simulator.counters().await.requests_to("affiliation"), 1);
        let later = "character where affiliation_due_at > now() + interval '10 minutes'";
        assert_eq!(fleet.database.count(later).await, 2);
        fleet.simulator.heal().await;
        work(fleet, Tick::only_corporations(1)).await;
        assert_eq!(
            fleet.database.count("corporation where last_verdict = 'retry'").await,
            1,
            "nobody is known to be in it"
        );
        fleet.database.execute("update character set affiliation_due_at = now()").await;
        work(fleet, Tick::only_affiliations(2)).await;
        work(fleet, Tick::only_corporations(1)).await;
        assert_eq!(fleet.database.count("corporation where last_verdict = 'done'").await, 1);
    });
}

fn a_pilots_own_list_goes_on_whatever_becomes_of_the_corporation(on: On) {
    let world = world(1, 10).takes_at_most(Duration::from_secs(180));
    fleet(on, world, async |fleet: &Fleet| {
        let (_, pilots) = signed_in(fleet).await;
        directors_are(fleet, &pilots, &pilots).await;
        work(fleet, Tick::only_affiliations(1)).await;
        let body = r#"{"error":"Token is not valid for any required scope"}"#;
        let refusal = json!({ "kind": "answer", "status": 403, "body": body });
        fleet.simulator.fault(json!([{ "on": "corporation_list", "do": refusal }])).await;
        work(fleet, Tick::only_corporations(1)).await;
        assert_eq!(fleet.database.count(REFUSED).await, 1);
        let fought = fleet.simulator.fight(&pilots, 2).await;
        fleet.lists_have_expired().await;
        fleet.database.execute("update character set next_sync_at = now()").await;
        work(fleet, Tick::only_listed(1)).await;
        let stored = format!("killmail where killmail_id >= {}", fought[0]);
        assert_eq!(fleet.database.count(&stored).await, 2);
        fleet.is_true().await;
    });
}

#[test]
fn a_corporation_is_added_by_its_number_and_the_games_own_are_refused() {
    fleet(On::Services, World::of(1, 1), async |fleet: &Fleet| {
        for (id, why) in
            [("1000125", "one of the game's own"), ("0", "must be a positive number"), ("Goons", "not a number")]
        {
            let ended = fleet.killfleet(&["corporation", "add", id]).run().await.with_code(2);
            assert!(ended.stderr.iter().any(|line| line.contains(why)), "{id}: {:?}", ended.stderr);
        }
        for said in ["was added", "had been added before"] {
            let ended = fleet.killfleet(&["corporation", "add", "98000001"]).run().await.well();
            assert!(ended.stdout[0].contains(said), "{:?}", ended.stdout);
        }
        let listed = fleet.killfleet(&["corporation", "list", "--json"]).run().await.well();
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout[0]).unwrap();
        assert_eq!((&listed[0]["corporation_id"], &listed[0]["members"]), (&json!(98_000_001), &json!(0)));
        assert_eq!(fleet.database.count("corporation").await, 1);
    });
}
