//! From signed-in characters to stored killmails, and what the next ticks cost.

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![
    characters_that_share_killmails_are_served_and_each_body_is_fetched_once,
    an_unchanged_list_costs_one_token_and_new_killmails_come_with_the_next_tick,
    how_soon_lists_are_looked_at_again_is_a_setting,
];

fn characters_that_share_killmails_are_served_and_each_body_is_fetched_once(on: On) {
    fleet(on, World::of(12, 60).with_real_killmails(), async |fleet: &Fleet| {
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(12));
        fleet.drain_with_workers(2).await;
        // One of them may have gone when its lanes were empty for a moment; the other one has done the rest.
        let counters = fleet.simulator.counters().await;
        let listed = fleet.simulator.truth().await.killmails.len() as u64;
        assert_eq!(counters.requests_to("detail"), listed, "each body is fetched exactly once");
        assert_eq!(counters.requests_to("list"), 12);
        assert_eq!(counters.requests_to("token"), 0, "fresh tokens are not refreshed");
        fleet.is_true().await;

        assert_eq!(fleet.tick(&[]).await, Tick::default(), "a second tick finds nothing to do");
        assert_eq!(fleet.tick(&["--force"]).await, Tick::default(), "Expires is kept even when forced");
        fleet.is_true().await;
    });
}

fn an_unchanged_list_costs_one_token_and_new_killmails_come_with_the_next_tick(on: On) {
    fleet(on, World::of(5, 20).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;

        fleet.lists_have_expired().await;
        fleet.simulator.reset_counters().await;
        assert_eq!(fleet.tick(&["--force"]).await, Tick::only_listed(5));
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!(counters.answers_with(304), 5);
        assert_eq!(counters.tokens_spent["char-killmail"], 5);
        assert_eq!(counters.requests_to("detail"), 0);

        fleet.lists_have_expired().await;
        let pilots = fleet.simulator.pilots().await;
        let fought = fleet.simulator.fight(&[pilots[0].character_id, pilots[1].character_id], 3).await;
        fleet.simulator.reset_counters().await;
        assert_eq!(fleet.tick(&["--force"]).await, Tick::only_listed(5));
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!(counters.detail_calls_by_killmail.into_keys().collect::<Vec<_>>(), fought);
        fleet.is_true().await;
    });
}

fn how_soon_lists_are_looked_at_again_is_a_setting(on: On) {
    fleet(on, World::of(4, 12).setting("KILLFLEET_TIERS", "2h,1d:3h"), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        // A twelfth of it is left to chance.
        let as_told = "character where next_sync_at between last_synced_at + interval '109 minutes'
                       and last_synced_at + interval '196 minutes'";
        assert_eq!(fleet.database.count(as_told).await, 4);
        let times = "(select distinct next_sync_at from character) as times";
        assert_eq!(fleet.database.count(times).await, 4, "not all at the same time");
        fleet.is_true().await;
    });
}

/// They are PostgreSQL's, to the letter.
#[test]
fn the_health_queries_of_killreport_run_as_they_stand() {
    fleet(On::Services, World::of(3, 5), async |fleet: &Fleet| {
        let queries = include_str!("../../deploy/sql/killreport-health.sql");
        let selects: Vec<&str> = queries.split_inclusive(';').filter(|query| query.contains("SELECT")).collect();
        assert_eq!(selects.len(), 3);
        let count = async |query: &str| -> i64 {
            let query = query.trim().trim_end_matches(';');
            fleet.database.count(&format!("(\n{query}\n) as health_query")).await
        };
        assert_eq!([count(selects[0]).await, count(selects[1]).await, count(selects[2]).await], [3, 0, 3]);
        fleet.let_tokens_expire().await;
        assert_eq!([count(selects[0]).await, count(selects[1]).await, count(selects[2]).await], [3, 3, 3]);
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(3));
        fleet.drain().await;
        assert_eq!(count(selects[1]).await, 0, "nobody needs a refresh any more");
        fleet.is_true().await;
    });
}
