//! Every way in which a provider can be set, over several refreshes with expiry between them: no login is lost, and no
//! strike is remembered but for a refusal that was meant.

use serde_json::{Value, json};

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![every_setting_of_a_provider_that_wants_the_secret_by_basic_authentication,];

const CHARACTERS: u64 = 3;
const ROUNDS: u32 = 2;
/// For the provider, between two refreshes; for us the access tokens are over each time.
const BETWEEN_SECONDS: u32 = 700;
/// Longer than one pause, shorter than two: it must begin anew each time.
const SLIDING_SECONDS: u32 = 1000;
/// Outlasts all rounds of one setting.
const ABSOLUTE_SECONDS: u32 = 10_000;

/// How refresh tokens are handled, and whether a refresh brings another one.
fn handlings() -> [(Value, bool); 5] {
    [
        (json!({ "rotation": "re-use" }), false),
        (json!({ "rotation": "always" }), true),
        (json!({ "rotation": "one-time-only", "grace_seconds": 0, "replay": "refuse" }), true),
        (json!({ "rotation": "one-time-only", "grace_seconds": 0, "replay": "revoke-login" }), true),
        (json!({ "rotation": "one-time-only", "grace_seconds": 60, "replay": "refuse" }), true),
    ]
}

fn the_whole_grid(on: On, client_auth: &str, world: World) {
    let world = world.with("--list-ttl-seconds=1").with(&format!("--client-auth={client_auth}"));
    fleet(on, world, async |fleet: &Fleet| {
        let mut age_seconds = 0;
        for (handling, brings_another) in handlings() {
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

fn world() -> World {
    World::of(CHARACTERS as u32, 8)
}

fn every_setting_of_a_provider_that_wants_the_secret_by_basic_authentication(on: On) {
    the_whole_grid(on, "basic", world());
}
