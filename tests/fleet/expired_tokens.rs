//! Tokens that are over, or nearly: refreshed first, each once, never too many at a time.

use serde_json::json;

use crate::harness::{Fleet, On, Tick, World, eventually, fleet, on_both};

on_both![
    all_tokens_expired_by_default_four_refreshes_at_once,
    all_tokens_expired_and_two_refreshes_at_once,
    tokens_that_live_shortly_are_refreshed_as_soon_as_they_are_inside_the_buffer,
    tokens_that_live_shorter_than_the_buffer_serve_all_the_same,
];

/// Three workers (or one process) on twelve expired tokens, with a token route that takes its time.
fn refreshes_at_once(on: On, world: World, limit: u32) {
    fleet(on, world, async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        fleet.simulator.fault(json!([{ "on": "token", "do": { "kind": "delay", "milliseconds": 300 } }])).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(12));
        fleet.drain_with_workers(3).await;
        let counters = fleet.simulator.counters().await;
        assert_eq!(counters.requests_to("token"), 12);
        assert!(counters.token_calls_by_character.values().all(|calls| *calls == 1));
        let parallel = counters.parallel_token_calls_max;
        assert!((2..=limit).contains(&parallel), "{parallel} token calls in flight, {limit} are allowed");
        // What the answer said: 1199 seconds from when the request was sent.
        let renewed =
            "token_stream where expires_at between now() + interval '19 minutes' and now() + interval '20 minutes'";
        assert_eq!(fleet.database.count(renewed).await, 12);
        fleet.is_true().await;
    });
}

fn all_tokens_expired_by_default_four_refreshes_at_once(on: On) {
    refreshes_at_once(on, World::of(12, 30), 4);
}

fn all_tokens_expired_and_two_refreshes_at_once(on: On) {
    refreshes_at_once(on, World::of(12, 30).setting("KILLFLEET_SSO_CONCURRENCY", "2"), 2);
}

fn tokens_that_live_shortly_are_refreshed_as_soon_as_they_are_inside_the_buffer(on: On) {
    let world = World::of(3, 10).with("--expires-in-seconds=12").setting("KILLFLEET_TOKEN_BUFFER", "8s");
    fleet(on, world, async |fleet: &Fleet| {
        let inside = "token_stream where expires_at <= now() + interval '8 seconds'";
        eventually("all tokens are inside the buffer", async || fleet.database.count(inside).await == 3).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(3));
        fleet.drain().await;
        let refreshed = fleet.simulator.counters().await.token_calls_by_character;
        assert_eq!(refreshed.len(), 3, "each was refreshed: {refreshed:?}");
        fleet.is_true().await;
    });
}

fn tokens_that_live_shorter_than_the_buffer_serve_all_the_same(on: On) {
    fleet(on, World::of(3, 10).with("--expires-in-seconds=200"), async |fleet: &Fleet| {
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(3));
        fleet.drain().await;
        let refreshed = fleet.simulator.counters().await.token_calls_by_character;
        assert!(
            refreshed.len() == 3 && refreshed.values().all(|calls| *calls <= 2),
            "once for each job: {refreshed:?}"
        );
        fleet.is_true().await;
        assert_eq!(fleet.tick(&["--force"]).await, Tick::default());
    });
}
