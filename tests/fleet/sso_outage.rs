//! EVE SSO is away for an hour, in every way in which it can be: none of a thousand logins is harmed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![an_hour_of_outage_harms_none_of_a_thousand_logins,];

const LOGINS: u64 = 1_000;
/// It has taken one to two minutes on two busy cores.
const LONGEST: Duration = Duration::from_secs(600);
const MINUTES_BETWEEN: u32 = 5;
const ROUNDS: usize = 12;
const HARMED: &str = "token_stream where state <> 'active' or strikes > 0 or next_probe_at is not null";

/// The provider has done its work in the first and the third of them.
fn outages() -> [Value; 7] {
    [
        json!({ "kind": "lost_answer" }),
        json!({ "kind": "answer", "status": 503, "body": "<html>maintenance</html>" }),
        json!({ "kind": "truncate" }),
        json!({ "kind": "reset" }),
        json!({ "kind": "html" }),
        json!({ "kind": "answer", "status": 400, "body": "<html>Bad Request</html>" }),
        json!({ "kind": "answer", "status": 429, "headers": { "Retry-After": "120" } }),
    ]
}

fn an_hour_of_outage_harms_none_of_a_thousand_logins(on: On) {
    let world =
        World::of(LOGINS as u32, 40).nobody_signed_in().setting("KILLFLEET_LOG", "error").takes_at_most(LONGEST);
    fleet(on, world, async |fleet: &Fleet| {
        fleet.everybody_signed_in_long_ago().await;
        let mut calls_before = 0;
        for round in 0..ROUNDS {
            // In the second half the provider gives another refresh token each time; the old one goes on working.
            let rotation = if round < ROUNDS / 2 { "re-use" } else { "always" };
            fleet.simulator.set_sso(&json!({ "rotation": rotation })).await;
            let outage = &outages()[round % outages().len()];
            fleet.simulator.fault(json!([{ "on": "token", "do": outage }])).await;
            let tick = fleet.tick(&[]).await;
            fleet.drain_with_workers(3).await;

            let counters = fleet.simulator.counters().await;
            let calls = counters.requests_to("token") - calls_before;
            calls_before += calls;
            assert!((1..=tick.queued_refresh).contains(&calls), "{outage}: {calls} token calls after {tick:?}");
            assert!(counters.parallel_token_calls_max <= 4, "{outage}: {}", counters.parallel_token_calls_max);
            assert_eq!(fleet.database.count(HARMED).await, 0, "{outage}");
            assert_eq!(fleet.database.count("sso_breaker where opened_at is not null").await, 0, "{outage}");
            fleet.every_held_token_works().await;
            fleet.database.let_minutes_pass(MINUTES_BETWEEN).await;
        }
        // The longer it lasts the more rarely each of them is tried: 7,500 calls were counted, of 12,000 that could be.
        assert!(calls_before < 9_000, "{calls_before} token calls within the hour");

        fleet.simulator.heal().await;
        fleet.database.let_minutes_pass(60).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(LOGINS));
        fleet.drain_with_workers(3).await;
        fleet.every_held_token_works().await;
        fleet.is_true().await;
    });
}
