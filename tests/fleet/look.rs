//! Logins that nobody uses are looked at every hour, where access tokens live for longer: one that was revoked is noticed
//! before it is needed.

use serde_json::{Value, json};

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![
    a_login_that_was_revoked_is_found_by_asking,
    a_login_that_was_revoked_is_found_by_a_refresh_where_nobody_can_be_asked,
    what_was_used_within_the_hour_and_what_has_ended_is_not_looked_at,
    a_provider_that_does_not_answer_is_left_alone_and_nothing_is_held_against_anybody,
    an_address_that_is_wrong_is_one_alarm,
    a_revoked_access_token_is_not_forgotten_while_no_refresh_can_tell,
];

const LOGINS: i64 = 3;
const REVOKED: &str = "token_stream where state = 'suspect' and strikes = 1 and last_error_code = 'invalid_grant'
                       and access_token_sealed is null";
const STANDS: &str = "token_stream where state = 'active' and strikes = 0 and last_error_code is null
                      and access_token_sealed is not null";

/// Access tokens of four hours, as Twitch gives them.
fn long_lived() -> World {
    World::of(LOGINS as u32, 6).with("--expires-in-seconds=14400")
}

/// Everybody has been served, and an hour has gone by since.
async fn idle(fleet: &Fleet<'_>) {
    assert_eq!(fleet.tick(&[]).await, Tick::only_listed(LOGINS as u64));
    fleet.drain().await;
    an_hour_goes_by(fleet).await;
    fleet.simulator.reset_counters().await;
}

async fn an_hour_goes_by(fleet: &Fleet<'_>) {
    let then =
        "update token_stream set created_at = now() - interval '1 hour', looked_at = looked_at - interval '1 hour',
                    last_refreshed_at = now() - interval '1 hour', last_used_at = now() - interval '1 hour',
                    look_hinted_at = look_hinted_at - interval '1 hour'";
    fleet.database.execute(then).await;
}

fn only_looked_at(streams: u64) -> Tick {
    Tick { queued_look: streams, ..Tick::default() }
}

/// A tick and its work, five minutes after the last one.
async fn next_tick(fleet: &Fleet<'_>) -> Tick {
    let five_minutes = "update token_stream set look_hinted_at = look_hinted_at - interval '5 minutes'";
    fleet.database.execute(five_minutes).await;
    let tick = fleet.tick(&[]).await;
    fleet.drain().await;
    tick
}

/// Each once.
async fn everybody_is_looked_at(fleet: &Fleet<'_>) {
    let mut looks = 0;
    loop {
        let tick = next_tick(fleet).await;
        if tick == Tick::default() {
            return assert_eq!(looks, LOGINS as u64);
        }
        assert_eq!(tick, only_looked_at(tick.queued_look));
        looks += tick.queued_look;
        assert!(looks <= LOGINS as u64, "somebody is looked at twice");
    }
}

async fn requests(fleet: &Fleet<'_>) -> [u64; 3] {
    let counters = fleet.simulator.counters().await;
    ["validate", "token", "list"].map(|route| counters.requests_to(route))
}

fn a_login_that_was_revoked_is_found_by_asking(on: On) {
    fleet(on, long_lived().that_can_be_asked(), async |fleet: &Fleet| {
        idle(fleet).await;
        let revoked = fleet.simulator.pilots().await[1].character_id;
        fleet.simulator.revoke(revoked).await;
        everybody_is_looked_at(fleet).await;
        assert_eq!(requests(fleet).await, [3, 1, 0], "only the one that does not stand is refreshed");
        assert_eq!(fleet.database.count(&format!("{REVOKED} and character_id = {revoked}")).await, 1);
        assert_eq!(fleet.database.count(&format!("{STANDS} and looked_at is not null")).await, LOGINS - 1);
        let told: Vec<(String,)> = fleet
            .database
            .rows(&format!(
                "select event from token_event where character_id = {revoked}
                 order by token_event_id desc limit 3"
            ))
            .await;
        let told: Vec<&str> = told.iter().rev().map(|(event,)| event.as_str()).collect();
        assert_eq!(told, ["access_revoked", "refused", "state_changed"]);
    });
}

fn a_login_that_was_revoked_is_found_by_a_refresh_where_nobody_can_be_asked(on: On) {
    fleet(on, long_lived(), async |fleet: &Fleet| {
        idle(fleet).await;
        let revoked = fleet.simulator.pilots().await[1].character_id;
        fleet.simulator.revoke(revoked).await;
        everybody_is_looked_at(fleet).await;
        assert_eq!(requests(fleet).await, [0, 3, 0]);
        let suspect = format!("token_stream where state = 'suspect' and strikes = 1 and character_id = {revoked}");
        assert_eq!(fleet.database.count(&suspect).await, 1);
        assert_eq!(fleet.database.count(STANDS).await, LOGINS - 1);
    });
}

fn what_was_used_within_the_hour_and_what_has_ended_is_not_looked_at(on: On) {
    fleet(on, long_lived().that_can_be_asked(), async |fleet: &Fleet| {
        idle(fleet).await;
        let used = "update token_stream set last_used_at = now() - interval '50 minutes' where token_stream_id = 1";
        fleet.database.execute(used).await;
        fleet.database.execute("update token_stream set expires_at = now() where token_stream_id = 2").await;
        assert_eq!(next_tick(fleet).await, only_looked_at(1));
        assert_eq!(next_tick(fleet).await, Tick::default());
        assert_eq!(requests(fleet).await, [1, 0, 0]);
        assert_eq!(fleet.database.count("token_stream where looked_at is not null and token_stream_id = 3").await, 1);
    });
}

async fn asking_has(fleet: &Fleet<'_>, answer: Value) {
    fleet.simulator.fault(json!([{ "on": "validate", "do": answer }])).await;
}

fn a_provider_that_does_not_answer_is_left_alone_and_nothing_is_held_against_anybody(on: On) {
    fleet(on, long_lived().that_can_be_asked(), async |fleet: &Fleet| {
        idle(fleet).await;
        asking_has(fleet, json!({ "kind": "answer", "status": 503, "body": "<html>" })).await;
        assert_eq!(next_tick(fleet).await, only_looked_at(1));
        assert_eq!(fleet.database.count("fleet_pause where scope = 'sso:validate' and until > now()").await, 1);
        assert_eq!(next_tick(fleet).await, Tick::default(), "for a minute nobody asks");
        assert_eq!(requests(fleet).await, [1, 0, 0]);
        assert_eq!(fleet.database.count(STANDS).await, LOGINS);
        fleet.simulator.heal().await;
        fleet.pauses_are_over().await;
        an_hour_goes_by(fleet).await;
        everybody_is_looked_at(fleet).await;
        assert_eq!(fleet.database.count(&format!("{STANDS} and looked_at is not null")).await, LOGINS);
        fleet.is_true().await;
    });
}

fn an_address_that_is_wrong_is_one_alarm(on: On) {
    fleet(on, long_lived().that_can_be_asked(), async |fleet: &Fleet| {
        idle(fleet).await;
        asking_has(fleet, json!({ "kind": "answer", "status": 404, "body": "{}" })).await;
        assert_eq!(next_tick(fleet).await, only_looked_at(1));
        assert_eq!(next_tick(fleet).await, Tick::default());
        assert_eq!(fleet.outputs.count(&["ERROR", "KILLFLEET_SSO_VALIDATE_URL"]), 1);
        assert_eq!(fleet.database.count(STANDS).await, LOGINS);
    });
}

fn a_revoked_access_token_is_not_forgotten_while_no_refresh_can_tell(on: On) {
    fleet(on, long_lived().that_can_be_asked(), async |fleet: &Fleet| {
        idle(fleet).await;
        for pilot in fleet.simulator.pilots().await {
            fleet.simulator.revoke(pilot.character_id).await;
        }
        fleet.simulator.fault(json!([{ "on": "token", "do": { "kind": "answer", "status": 500, "body": "" } }])).await;
        assert_eq!(next_tick(fleet).await, only_looked_at(1));
        let discarded = "token_stream where state = 'active' and strikes = 0 and access_token_sealed is null";
        assert_eq!(fleet.database.count(discarded).await, 1);
        fleet.simulator.heal().await;
        fleet.pauses_are_over().await;
        an_hour_goes_by(fleet).await;
        everybody_is_looked_at(fleet).await;
        assert_eq!(requests(fleet).await, [3, 4, 0]);
        assert_eq!(fleet.database.count(REVOKED).await, LOGINS);
    });
}
