//! Providers that give another refresh token with each refresh: the new one is stored every time.

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![the_old_one_goes_on_working, the_old_one_is_dead_at_once,];

const ROUNDS: i64 = 3;

fn several_rounds(on: On, rotation: &str) {
    fleet(on, World::of(5, 15).with(rotation).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        let stored = async || -> Vec<(i64, i64, Vec<u8>)> {
            let streams =
                "select token_stream_id, refresh_token_version, refresh_token_sealed from token_stream order by 1";
            fleet.database.rows(streams).await
        };
        let mut before = stored().await;
        assert!(before.iter().all(|(_, version, _)| *version == 1), "the sign-in was the first rotation");
        for round in 1..=ROUNDS {
            fleet.lists_have_expired().await;
            fleet.let_tokens_expire().await;
            assert_eq!(fleet.tick(&["--force"]).await, Tick::only_refreshed(5));
            fleet.drain_with_workers(2).await;
            let after = stored().await;
            for ((_, _, old), (_, version, new)) in before.iter().zip(&after) {
                assert_eq!(*version, round + 1);
                assert_ne!(old, new, "another refresh token is stored");
            }
            before = after;
            assert_eq!(fleet.simulator.counters().await.answers_with(400), 0);
        }
        let refreshed = fleet.simulator.counters().await.token_calls_by_character;
        assert!(refreshed.len() == 5 && refreshed.into_values().all(|calls| calls == 3), "once in each round");
        fleet.is_true().await;
    });
}

fn the_old_one_goes_on_working(on: On) {
    several_rounds(on, "--rotation=always");
}

fn the_old_one_is_dead_at_once(on: On) {
    several_rounds(on, "--rotation=always-kill-old");
}
