//! Lists of many pages: walked by `X-Pages`, taken up where they were cut, never over the budget.

use serde_json::json;

use crate::harness::{Fleet, On, Tick, World, eventually, fleet, on_both};

on_both![
    all_pages_are_walked_and_none_that_does_not_exist,
    a_list_of_more_pages_than_the_budget_allows_is_cut_in_time_and_goes_on_later,
    a_page_that_was_promised_and_is_missing_is_not_taken_for_the_end,
    a_page_that_cannot_be_had_does_not_hide_what_is_new,
    a_page_that_is_refused_does_not_hide_what_is_new,
    pages_that_have_not_changed_cost_one_token_in_a_walk_of_all,
];

fn all_pages_are_walked_and_none_that_does_not_exist(on: On) {
    fleet(on, World::of(3, 70).with("--page-size=5"), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        let pilots = fleet.simulator.pilots().await;
        let pages: u64 = pilots.iter().map(|pilot| pilot.killmail_ids.len().div_ceil(5) as u64).sum();
        assert!(pages > 15, "the world has long lists");
        assert_eq!(counters.requests_to("list"), pages);
        assert_eq!(counters.answers_with(404), 0);
        fleet.is_true().await;
    });
}

#[test]
fn a_walk_that_is_cut_off_between_pages_is_finished_by_another_worker() {
    fleet(On::Services, World::of(2, 30).with("--page-size=5"), async |fleet: &Fleet| {
        let (character_id, killmail_ids) = fleet.busiest().await;
        let hold = json!([{ "on": "list", "character_id": character_id, "page": 2, "do": { "kind": "hold" } }]);
        fleet.simulator.fault(hold).await;
        fleet.tick(&[]).await;
        let worker = fleet.worker(&["--lanes", "list", "--grace", "300ms"]).start();
        fleet.simulator.has_bitten("hold").await;
        fleet.has_synced(1).await;
        worker.signal("TERM");
        worker.ended().await.with_code(1);
        let resume = format!("select resume_page from character where character_id = {character_id}");
        assert_eq!(fleet.database.value::<i32>(&resume).await, 2, "page 1 is saved, page 2 is next");
        fleet.simulator.heal().await;

        eventually("the message is back", async || fleet.queues().ready("list").await >= 1).await;
        fleet.drain().await;
        let pages = killmail_ids.len().div_ceil(5) as u64;
        let calls = fleet.simulator.counters().await.list_calls_by_character[&character_id];
        assert_eq!(calls, pages + 1, "only the page whose answer was cut off is asked for again");
        // Page 1 was saved while its follow-ups could not be sent: the hints go stale, and are given again.
        fleet.database.execute("update killmail_ref set hinted_at = hinted_at - interval '6 minutes'").await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

#[test]
fn a_worker_that_is_told_to_stop_hands_the_rest_of_a_walk_to_another() {
    fleet(On::Services, World::of(2, 30).with("--page-size=5"), async |fleet: &Fleet| {
        let (character_id, killmail_ids) = fleet.busiest().await;
        let hold = json!([{ "on": "list", "character_id": character_id, "page": 2, "do": { "kind": "hold" } }]);
        fleet.simulator.fault(hold).await;
        fleet.tick(&[]).await;
        let worker = fleet.worker(&[]).start();
        fleet.simulator.has_bitten("hold").await;
        worker.signal("TERM");
        worker.says("stopping").await;
        fleet.simulator.heal().await;
        worker.ended().await.well();
        let resume =
            format!("select resume_page from character where character_id = {character_id} and lease_until is null");
        assert_eq!(fleet.database.value::<i32>(&resume).await, 3, "page 2 is saved, page 3 is for another worker");

        fleet.drain().await;
        let calls = fleet.simulator.counters().await.list_calls_by_character[&character_id];
        assert_eq!(calls, killmail_ids.len().div_ceil(5) as u64, "no page is asked for twice");
        fleet.is_true().await;
    });
}

fn a_list_of_more_pages_than_the_budget_allows_is_cut_in_time_and_goes_on_later(on: On) {
    let world = World::of(1, 40).with("--page-size=2").with("--window-seconds=5");
    fleet(on, world, async |fleet: &Fleet| {
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(1));
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        // 30 tokens, 2 for each page, and the price of an error is kept back.
        assert_eq!((counters.requests_to("list"), counters.answers_with(429)), (13, 0));
        let cut = "character where resume_page = 14 and last_verdict = 'retry' and attempt = 0";
        assert_eq!(fleet.database.count(cut).await, 1, "the walk goes on at page 14, and waiting costs no attempt");
        assert_eq!(fleet.database.count("killmail").await, 26, "what was listed is stored already");

        eventually("the walk is due again", async || {
            fleet.database.count("character where next_sync_at <= now()").await == 1
        })
        .await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(1));
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("list"), 20);
        fleet.is_true().await;
    });
}

const NO_SUCH_PAGE: &str = r#"{"error":"Requested page does not exist!"}"#;

/// An answer of 404 for page 3 of everybody's list.
async fn page_three_is(fleet: &Fleet<'_>, status: u16, body: &str) {
    let answer = json!({ "kind": "answer", "status": status, "body": body });
    fleet.simulator.fault(json!([{ "on": "list", "page": 3, "do": answer }])).await;
}

/// A walk that fails at the same page again and again starts over after the fourth time.
async fn walk_again_until(fleet: &Fleet<'_>, there_is: &str) {
    for _ in 0..8 {
        fleet.make_due().await;
        fleet.lists_have_expired().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        if fleet.database.count(there_is).await > 0 {
            return;
        }
    }
    panic!("eight walks did not bring: {there_is}");
}

fn a_page_that_was_promised_and_is_missing_is_not_taken_for_the_end(on: On) {
    fleet(on, World::of(1, 30).with("--page-size=5").with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        // An outage before it brings nothing nearer to being taken for the end.
        fleet.database.execute("update character set attempt = 50").await;
        page_three_is(fleet, 404, NO_SUCH_PAGE).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        assert_eq!(fleet.database.count("character where resume_page = 2 and missing_pages = 1").await, 1);
        fleet.simulator.heal().await;
        eventually("ESI's copy of page 2 has expired", async || {
            fleet.database.count("character where next_sync_at <= now()").await == 1
        })
        .await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let finished = "character where resume_page is null and missing_pages = 0 and attempt = 0";
        assert_eq!(fleet.database.count(finished).await, 1);
        fleet.is_true().await;
    });
}

fn a_page_that_cannot_be_had_does_not_hide_what_is_new(on: On) {
    what_is_new_is_found_although_page_three_is(404, r#"{"error":"Not found"}"#, on);
}

fn a_page_that_is_refused_does_not_hide_what_is_new(on: On) {
    what_is_new_is_found_although_page_three_is(400, r#"{"error":"bad request"}"#, on);
}

fn what_is_new_is_found_although_page_three_is(status: u16, body: &str, on: On) {
    let world = World::of(1, 30).with("--page-size=5").with("--list-ttl-seconds=1").with("--window-seconds=1");
    fleet(on, world, async |fleet: &Fleet| {
        page_three_is(fleet, status, body).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let character_id = fleet.busiest().await.0;
        let new = fleet.simulator.fight(&[character_id], 1).await.remove(0);
        walk_again_until(fleet, &format!("character_killmail where killmail_id = {new}")).await;
        assert_eq!(fleet.database.count("character where resume_page is null").await, 0, "it is not at its end");
        fleet.simulator.heal().await;
        walk_again_until(fleet, "character where resume_page is null").await;
        fleet.is_true().await;
    });
}

fn pages_that_have_not_changed_cost_one_token_in_a_walk_of_all(on: On) {
    fleet(on, World::of(1, 30).with("--page-size=10").with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        let pages = fleet.simulator.counters().await.requests_to("list");
        assert_eq!(pages, 3);
        let mut spent = 2 * pages;
        for (fights, walk) in [(0, 2 + 2), (1, 4 * 2), (0, 2 + 3)] {
            if fights > 0 {
                let pilot = fleet.simulator.pilots().await[0].character_id;
                fleet.simulator.fight(&[pilot], fights).await;
            }
            fleet.lists_have_expired().await;
            fleet.tick(&["--full", "--force"]).await;
            fleet.drain().await;
            // The first page is asked for without its ETag: that it has not changed would be no reason to stop.
            spent += walk;
            assert_eq!(fleet.simulator.counters().await.tokens_spent["char-killmail"], spent);
        }
        fleet.is_true().await;
    });
}
