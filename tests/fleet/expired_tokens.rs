//! Tokens that are over, or nearly: refreshed first, each once, never too many at a time.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Fleet, Tick, World, eventually, fleet};

/// Three workers on twelve expired tokens, with a token route that takes its time.
fn refreshes_at_once(concurrency: Option<&str>, limit: u32) {
    fleet(World::of(12, 30), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        fleet.simulator.fault(json!([{ "on": "token", "do": { "kind": "delay", "milliseconds": 300 } }])).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(12));
        let workers = (0..3).map(|_| {
            let worker = fleet.worker(&["--drain"]);
            let worker = match concurrency {
                Some(number) => worker.set("KILLFLEET_SSO_CONCURRENCY", number),
                None => worker,
            };
            worker.run()
        });
        for ended in join_all(workers).await {
            ended.well();
        }
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

#[test]
fn all_tokens_expired_by_default_four_refreshes_at_once() {
    refreshes_at_once(None, 4);
}

#[test]
fn all_tokens_expired_and_two_refreshes_at_once() {
    refreshes_at_once(Some("2"), 2);
}

#[test]
fn tokens_that_live_shortly_are_refreshed_as_soon_as_they_are_inside_the_buffer() {
    let world = World::of(3, 10).with("--expires-in-seconds=12");
    fleet(world, async |fleet: &Fleet| {
        let buffer = ("KILLFLEET_TOKEN_BUFFER", "8s");
        let inside = "token_stream where expires_at <= now() + interval '8 seconds'";
        eventually("all tokens are inside the buffer", async || fleet.database.count(inside).await == 3).await;
        let ended = fleet.scheduler(&[]).set(buffer.0, buffer.1).run().await.well();
        assert_eq!(Tick::parse(&ended.stdout[0]), Tick::only_refreshed(3));
        fleet.worker(&["--drain"]).set(buffer.0, buffer.1).run().await.well();
        let refreshed = fleet.simulator.counters().await.token_calls_by_character;
        assert_eq!(refreshed.len(), 3, "each was refreshed: {refreshed:?}");
        fleet.is_true().await;
    });
}

#[test]
fn tokens_that_live_shorter_than_the_buffer_serve_all_the_same() {
    fleet(World::of(3, 10).with("--expires-in-seconds=200"), async |fleet: &Fleet| {
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
