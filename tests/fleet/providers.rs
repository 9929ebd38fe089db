//! Every way in which a provider can be set, over several refreshes with expiry between them: no login is lost, and no
//! strike is remembered but for a refusal that was meant.

use serde_json::{Value, json};

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![
    refresh_tokens_that_go_on_working,
    refresh_tokens_that_are_good_once,
    refresh_tokens_that_go_on_working_with_the_secret_in_the_body,
    refresh_tokens_that_are_good_once_with_the_secret_in_the_body,
];

const CHARACTERS: u64 = 3;
const ROUNDS: u32 = 2;
/// For the provider, between two refreshes; for us the access tokens are over each time.
const BETWEEN_SECONDS: u32 = 700;
/// Longer than one pause, shorter than two: it must begin anew each time.
const SLIDING_SECONDS: u32 = 1000;
/// Outlasts all rounds of one setting.
const ABSOLUTE_SECONDS: u32 = 10_000;

/// Refresh tokens that go on working.
fn lasting() -> Vec<Value> {
    vec![json!({ "rotation": "re-use" }), json!({ "rotation": "always" })]
}

/// Refresh tokens that are good for one refresh.
fn consumed() -> Vec<Value> {
    vec![
        json!({ "rotation": "one-time-only", "grace_seconds": 0, "replay": "refuse" }),
        json!({ "rotation": "one-time-only", "grace_seconds": 0, "replay": "revoke-login" }),
        json!({ "rotation": "one-time-only", "grace_seconds": 60, "replay": "refuse" }),
    ]
}

/// These ways to handle refresh tokens, with all combinations of lifetimes.
fn lives_on(on: On, handlings: &[Value], client_auth: &'static str) {
    let world = World::of(CHARACTERS as u32, 8).with("--list-ttl-seconds=1").with("--window-seconds=1");
    let world = world.with(&format!("--client-auth={client_auth}")).setting("KILLFLEET_SSO_CLIENT_AUTH", client_auth);
    fleet(on, world, async |fleet: &Fleet| {
        let mut age_seconds = 0;
        for handling in handlings {
            let brings_another = handling["rotation"] != "re-use";
            for [slides, ends] in [[false, false], [false, true], [true, false], [true, true]] {
                let mut settings = handling.clone();
                settings["sliding_lifetime_seconds"] = json!(slides.then_some(SLIDING_SECONDS));
                // The logins are older than this setting.
                settings["absolute_lifetime_seconds"] = json!(ends.then_some(age_seconds + ABSOLUTE_SECONDS));
                fleet.simulator.set_sso(&settings).await;
                for _ in 0..ROUNDS {
                    let before = fleet.held_refresh_tokens().await;
                    fleet.simulator.age_logins(BETWEEN_SECONDS).await;
                    age_seconds += BETWEEN_SECONDS;
                    refresh_all(fleet, &settings).await;
                    assert_eq!(fleet.held_refresh_tokens().await != before, brings_another, "{settings}");
                    fleet.every_held_token_works().await;
                }
            }
        }
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.answers_with(400), counters.answers_with(401)), (0, 0));
        fleet.is_true().await;

        // A lifetime that is over is a refusal that is meant.
        fleet.simulator.age_logins(SLIDING_SECONDS).await;
        fleet.let_tokens_expire().await;
        fleet.lists_have_expired().await;
        assert_eq!(fleet.tick(&["--force"]).await, Tick::only_refreshed(CHARACTERS));
        fleet.drain().await;
        let refused = "token_stream where state = 'suspect' and strikes = 1 and last_error_code = 'invalid_grant'";
        assert_eq!(fleet.database.count(refused).await, CHARACTERS as i64);
    });
}

async fn refresh_all(fleet: &Fleet<'_>, settings: &Value) {
    fleet.let_tokens_expire().await;
    fleet.lists_have_expired().await;
    assert_eq!(fleet.tick(&["--force"]).await, Tick::only_refreshed(CHARACTERS), "{settings}");
    fleet.drain().await;
    let well = "token_stream where state = 'active' and strikes = 0 and last_error_code is null
                and lease_until is null and expires_at > now()";
    assert_eq!(fleet.database.count(well).await, CHARACTERS as i64, "{settings}");
}

fn refresh_tokens_that_go_on_working(on: On) {
    lives_on(on, &lasting(), "basic");
}

fn refresh_tokens_that_are_good_once(on: On) {
    lives_on(on, &consumed(), "basic");
}

fn refresh_tokens_that_go_on_working_with_the_secret_in_the_body(on: On) {
    lives_on(on, &lasting(), "body");
}

fn refresh_tokens_that_are_good_once_with_the_secret_in_the_body(on: On) {
    lives_on(on, &consumed(), "body");
}
