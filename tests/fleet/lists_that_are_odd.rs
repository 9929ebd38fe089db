//! Lists that can be read and are odd all the same: page counts that make no sense or change, two forms of emptiness,
//! killmails that stand there twice, headers that are missing. Nothing is lost, nothing loops, and little is paid.

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, On, World, fleet, list, on_both};

on_both![
    a_page_count_that_makes_no_sense_costs_some_calls_and_hides_nothing,
    a_page_count_that_changes_in_a_walk_is_believed_anew_on_each_page,
    a_list_that_looks_empty_is_looked_at_again_and_takes_nothing_away,
    what_says_that_the_rest_of_a_list_is_gone_does_not_hide_it,
    killmails_listed_twice_and_missing_headers_do_no_harm,
];

/// An answer with these killmails and these headers, in place of the real one: it has no others of cache and paging.
async fn page(fleet: &Fleet<'_>, killmail_ids: &[i64], headers: Value) -> Value {
    let killmails = fleet.simulator.truth().await.killmails;
    let references: Vec<Value> = killmail_ids
        .iter()
        .map(|id| {
            let killmail = killmails.iter().find(|killmail| killmail.killmail_id == *id).unwrap();
            json!({ "killmail_id": id, "killmail_hash": killmail.killmail_hash })
        })
        .collect();
    json!({ "kind": "answer", "status": 200, "body": json!(references).to_string(), "headers": headers })
}

fn on_page(character_id: i64, page: u32, answer: &Value) -> Value {
    json!({ "on": "list", "character_id": character_id, "page": page, "do": answer })
}

/// As if the lists of these characters had expired and were due. The simulator holds nobody to the answer of a fault.
async fn walk_again(fleet: &Fleet<'_>, of: &str) {
    let expired = "update character set next_sync_at = now(), list_expires_at = now() - interval '1 second'";
    fleet.database.execute(&format!("{expired} where {of}")).await;
    fleet.tick(&[]).await;
    fleet.drain().await;
}

fn a_page_count_that_makes_no_sense_costs_some_calls_and_hides_nothing(on: On) {
    fleet(on, World::of(6, 60).with("--window-seconds=1"), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let (missing, huge) = (json!({}), json!({ "X-Pages": "999999999" }));
        let nonsense = ["0", "-1", "many", ""].map(|pages| json!({ "X-Pages": pages }));
        let mut faults = Vec::new();
        for (pilot, headers) in pilots.iter().zip([huge, missing].into_iter().chain(nonsense)) {
            assert!(!pilot.killmail_ids.is_empty());
            let answer = page(fleet, &pilot.killmail_ids, headers).await;
            faults.push(on_page(pilot.character_id, 1, &answer));
        }
        fleet.simulator.fault(json!(faults)).await;
        let not_synced = "last_synced_at is null";
        let mut walks = 0;
        while fleet.database.count(&format!("character where {not_synced}")).await > 0 {
            walks += 1;
            assert!(walks <= 20, "a walk does not come to its end");
            walk_again(fleet, not_synced).await;
        }
        let counters = fleet.simulator.counters().await;
        for (number, pilot) in (0..).zip(&pilots) {
            // One page more is asked for, which does not exist; where it was promised, six times.
            let expected = if number == 0 { 12 } else { 2 };
            assert_eq!(counters.list_calls_by_character[&pilot.character_id], expected, "{number}");
        }
        let at_its_end = "character where resume_page is null and missing_pages = 0 and last_verdict = 'done'";
        assert_eq!(fleet.database.count(at_its_end).await, 6);

        fleet.simulator.reset_counters().await;
        fleet.pauses_are_over().await;
        walk_again(fleet, "true").await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("list"), counters.answers_with(404)), (6, 0), "nothing new, nothing more");
        fleet.is_true().await;
    });
}

fn a_page_count_that_changes_in_a_walk_is_believed_anew_on_each_page(on: On) {
    fleet(on, World::of(2, 40).with("--page-size=5"), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let mut faults = Vec::new();
        let mut expected = 0;
        for (pilot, is_growing) in pilots.iter().zip([true, false]) {
            let newest: Vec<i64> = pilot.killmail_ids.iter().rev().take(5).copied().collect();
            let pages = pilot.killmail_ids.len().div_ceil(5);
            assert!(pages > 2);
            expected += pages as u64;
            let told = if is_growing { 2 } else { pages + 2 };
            let answer = page(fleet, &newest, json!({ "X-Pages": told.to_string() })).await;
            faults.push(on_page(pilot.character_id, 1, &answer));
        }
        fleet.simulator.fault(json!(faults)).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("list"), counters.answers_with(404)), (expected, 0));
        fleet.is_true().await;
    });
}

fn a_list_that_looks_empty_is_looked_at_again_and_takes_nothing_away(on: On) {
    fleet(on, World::of(5, 40), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let answer = |status: u16, body: &str| json!({ "kind": "answer", "status": status, "body": body });
        let empty = [
            page(fleet, &[], json!({ "X-Pages": "1" })).await,
            answer(404, r#"{"error":"Not found"}"#),
            answer(404, ""),
            // Something in front of ESI: no empty list.
            answer(404, "<html>Not found</html>"),
        ];
        let faults: Vec<Value> =
            pilots.iter().zip(&empty).map(|(pilot, answer)| on_page(pilot.character_id, 1, answer)).collect();
        fleet.simulator.fault(json!(faults)).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert!(counters.list_calls_by_character.values().all(|calls| *calls == 1));
        assert_eq!(counters.tokens_spent["char-killmail"], 2 + 3 * 5 + 2);
        let synced = "character where last_synced_at is not null and attempt = 0
                      and list_expires_at > now() and next_sync_at >= list_expires_at";
        assert_eq!(fleet.database.count(synced).await, 4);
        assert_eq!(fleet.database.count("character where last_synced_at is null and attempt = 1").await, 1);

        fleet.simulator.heal().await;
        let served = pilots[4].character_id;
        walk_again(fleet, &format!("character_id <> {served}")).await;
        fleet.is_true().await;

        // ESI's copies have not expired, but it is not ESI that is asked.
        fleet.simulator.fault(json!(faults[..3])).await;
        let asked: Vec<i64> = pilots[..3].iter().map(|pilot| pilot.character_id).collect();
        walk_again(fleet, &format!("character_id in {}", list(&asked))).await;
        assert_eq!(fleet.simulator.counters().await.answers_with(404), 5);
        fleet.is_true_but(Exceptions { repeated_pages: 3, ..Exceptions::default() }).await;
    });
}

fn what_says_that_the_rest_of_a_list_is_gone_does_not_hide_it(on: On) {
    fleet(on, World::of(2, 40).with("--page-size=5"), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let (gap, gone) = (pilots[0].character_id, pilots[1].character_id);
        let expected = json!({ "X-Pages": "9", "Cache-Control": "max-age=300" });
        let empty = page(fleet, &[], expected).await;
        let answer =
            json!({ "kind": "answer", "status": 404, "body": r#"{"error":"Requested page does not exist!"}"# });
        // Page 2 of one is empty, though others are to follow; page 2 of the other, which was promised, does not exist.
        fleet.simulator.fault(json!([on_page(gap, 2, &empty), on_page(gone, 2, &answer)])).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        for (character_id, resume_page) in [(gap, 2), (gone, 1)] {
            let cut = format!(
                "character where character_id = {character_id} and resume_page = {resume_page} and attempt = 1
                 and last_verdict = 'retry' and last_synced_at is null"
            );
            assert_eq!(fleet.database.count(&cut).await, 1, "{character_id}");
        }
        assert!(fleet.simulator.counters().await.list_calls_by_character.values().all(|calls| *calls == 2));

        // The next time there is not even a first page, which looks like an empty list.
        fleet.simulator.fault(json!([on_page(gap, 2, &empty), on_page(gone, 1, &answer)])).await;
        walk_again(fleet, "true").await;
        assert_eq!(fleet.database.count("character where resume_page = 2 and attempt = 2").await, 1);

        fleet.simulator.heal().await;
        walk_again(fleet, "true").await;
        // That the first page had expired was pretended twice.
        fleet.is_true_but(Exceptions { repeated_pages: 2, ..Exceptions::default() }).await;
    });
}

fn killmails_listed_twice_and_missing_headers_do_no_harm(on: On) {
    fleet(on, World::of(3, 40), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let (twice, bare) = (&pilots[0], &pilots[1]);
        // Each twice on its page, and the whole page twice, as after a list that has grown in the walk.
        let ids = [&twice.killmail_ids[..], &twice.killmail_ids].concat();
        let both_pages = page(fleet, &ids, json!({ "X-Pages": "2" })).await;
        // Without a group, what is said of a bucket belongs to none.
        let no_headers = json!({ "X-Ratelimit-Group": "" });
        let bare_page = page(fleet, &bare.killmail_ids, no_headers.clone()).await;
        let truth = fleet.simulator.truth().await;
        let mut faults = vec![
            on_page(twice.character_id, 1, &both_pages),
            on_page(twice.character_id, 2, &both_pages),
            on_page(bare.character_id, 1, &bare_page),
        ];
        for killmail in truth.killmails.iter().filter(|killmail| bare.killmail_ids.contains(&killmail.killmail_id)) {
            let answer = json!({ "kind": "answer", "status": 200, "body": killmail.body.get(), "headers": no_headers });
            faults.push(json!({ "on": "detail", "killmail_id": killmail.killmail_id, "do": answer }));
        }
        fleet.simulator.fault(json!(faults)).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let new = twice.killmail_ids.len();
        let walked = format!(
            "sync_run where character_id = {} and verdict = 'done' and pages = 2 and references_new = {new}",
            twice.character_id
        );
        assert_eq!(fleet.database.count(&walked).await, 1);
        // The times are those of the specification, and there is no validator to send.
        let five_minutes = format!(
            "character where character_id = {} and list_etag is null and last_synced_at is not null
             and list_expires_at > now() + interval '4 minutes' and next_sync_at >= list_expires_at",
            bare.character_id
        );
        assert_eq!(fleet.database.count(&five_minutes).await, 1);
        let calls = fleet.simulator.counters().await.list_calls_by_character;
        assert_eq!((calls[&twice.character_id], calls[&bare.character_id]), (2, 2));
        fleet.is_true().await;
    });
}
