//! EVE SSO tells one job to wait (`Retry-After`): all refreshes of the fleet do, and nobody is harmed or alarmed.

use serde_json::json;

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![one_job_that_is_told_to_wait_makes_all_wait, the_one_login_that_is_tried_in_a_mass_refusal_waits_too,];

const CHARACTERS: u64 = 20;
/// Jobs of one lane at a time in one process, by default: so many calls may be under way before the first is answered.
const CALLS_AT_ONCE: u64 = 4;
const HARMED: &str = "token_stream where state <> 'active' or strikes > 0 or next_probe_at is not null";
const WAIT: &str = "fleet_pause where scope = 'sso:wait' and reason like '%429%'
                    and until between now() + interval '30 seconds' and now() + interval '1 minute'";

async fn tell_to_wait(fleet: &Fleet<'_>) {
    let wait = json!({ "kind": "answer", "status": 429, "headers": { "Retry-After": "60" } });
    fleet.simulator.fault(json!([{ "on": "token", "do": wait }])).await;
}

async fn token_calls(fleet: &Fleet<'_>) -> u64 {
    fleet.simulator.counters().await.requests_to("token")
}

/// A tick while all refreshes pause.
fn paused(canaries: u64) -> Tick {
    let skipped = [("sso_paused".to_owned(), CHARACTERS)].into();
    Tick { due: CHARACTERS, skipped, queued_exercise: canaries, ..Tick::default() }
}

async fn all_are_served(fleet: &Fleet<'_>) {
    fleet.simulator.heal().await;
    fleet.pauses_are_over().await;
    fleet.make_due().await;
    assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(CHARACTERS));
    fleet.drain().await;
    fleet.is_true().await;
}

fn one_job_that_is_told_to_wait_makes_all_wait(on: On) {
    fleet(on, World::of(CHARACTERS as u32, 20), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        tell_to_wait(fleet).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(CHARACTERS));
        fleet.drain().await;
        let calls = token_calls(fleet).await;
        assert!((1..=CALLS_AT_ONCE).contains(&calls), "{calls} token calls, although the first was told to wait");
        assert_eq!(fleet.database.count(WAIT).await, 1);
        assert_eq!(fleet.database.count(HARMED).await, 0);
        let waiting = "character where last_verdict = 'retry' and attempt = 0 and next_sync_at > now()";
        assert_eq!(fleet.database.count(waiting).await, CHARACTERS as i64, "waiting costs no attempt");
        assert_eq!(fleet.outputs.count(&["ERROR"]), 0);
        assert!(fleet.outputs.count(&["WARN", "told us to wait"]) >= 1);

        fleet.make_due().await;
        assert_eq!(fleet.tick(&[]).await, paused(0));
        fleet.drain().await;
        assert_eq!(token_calls(fleet).await, calls);
        all_are_served(fleet).await;
    });
}

fn the_one_login_that_is_tried_in_a_mass_refusal_waits_too(on: On) {
    fleet(on, World::of(CHARACTERS as u32, 20), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        fleet.database.execute("update sso_breaker set opened_at = now(), reason = 'many were refused'").await;
        tell_to_wait(fleet).await;
        fleet.let_a_canary_be_due().await;
        assert_eq!(fleet.tick(&[]).await, paused(1));
        fleet.drain().await;
        assert_eq!((token_calls(fleet).await, fleet.database.count(WAIT).await), (1, 1));

        fleet.let_a_canary_be_due().await;
        assert_eq!(fleet.tick(&[]).await, paused(0), "it is told to wait, not to try another");
        fleet.drain().await;
        assert_eq!(token_calls(fleet).await, 1);

        // The time is over, and EVE SSO is believed again.
        fleet.database.execute("update sso_breaker set opened_at = null, reason = null").await;
        all_are_served(fleet).await;
    });
}
