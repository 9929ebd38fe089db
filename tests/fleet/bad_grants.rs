//! Answers of the token route that cannot be used: the old tokens stay as they are, no strike is remembered, and the row
//! says what was wrong. And those that can be used although they look different.

use serde_json::{Value, json};

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![
    an_answer_that_cannot_be_used_leaves_the_old_tokens_and_a_reason,
    a_new_refresh_token_in_an_answer_that_cannot_be_used_is_kept,
    all_issuers_and_both_algorithms_serve_with_the_key_set_or_without_it,
    a_login_that_loses_its_scope_is_not_refused_and_serves_again_after_the_next_login,
];

/// A fault of the token route, the code in the row, words of its reason, and the state that follows.
type Case = (Value, &'static str, &'static str, &'static str);

/// The provider has done its work in these: with rotation there is another refresh token.
fn spoiled_grants() -> Vec<Case> {
    let members = |changes: Value| json!({ "kind": "members", "changes": changes });
    let claims = |claims: Value| json!({ "kind": "forge", "claims": claims });
    let signed = |signature: &str| json!({ "kind": "forge", "signature": signature });
    let no_end = "does not say when it ends";
    vec![
        (members(json!({ "expires_in": null })), "sso_unreadable", no_end, "active"),
        (members(json!({ "expires_in": 0 })), "sso_unreadable", no_end, "active"),
        (members(json!({ "expires_in": -1199 })), "sso_unreadable", no_end, "active"),
        (members(json!({ "expires_in": "soon" })), "sso_unreadable", no_end, "active"),
        (members(json!({ "access_token": null })), "sso_unreadable", "no access token", "active"),
        (members(json!({ "access_token": "" })), "sso_unreadable", "no access token", "active"),
        (members(json!({ "access_token": 17 })), "sso_unreadable", "no access token", "active"),
        (members(json!({ "access_token": "a.b.c" })), "unverifiable", "not a JWT", "active"),
        (signed("unsigned"), "unverifiable", "not a JWT", "active"),
        (signed("wrong"), "unverifiable", "signature", "active"),
        (signed("unknown_key"), "unverifiable", "does not publish", "active"),
        (claims(json!({ "iss": "https://login.example.com" })), "unverifiable", "not by EVE SSO", "active"),
        (claims(json!({ "aud": ["another", "EVE Online"] })), "unverifiable", "another application", "active"),
        (claims(json!({ "exp": 1_700_000_000 })), "unverifiable", "expired", "active"),
        (claims(json!({ "owner": null })), "unverifiable", "whose account", "active"),
        (claims(json!({ "sub": "CHARACTER:EVE:90000001" })), "other_character", "90000001", "quarantined"),
        (claims(json!({ "owner": "YW5vdGhlciBhY2NvdW50IQ==" })), "owner_changed", "another account", "quarantined"),
    ]
}

/// Nothing of a grant can be read in these, and nothing has happened.
fn no_grants() -> Vec<Case> {
    let answer = |body: &str| json!({ "kind": "answer", "status": 200, "body": body });
    let no_object = "not a JSON object";
    vec![
        (json!({ "kind": "html" }), "sso_unreadable", no_object, "active"),
        (answer(""), "sso_unreadable", no_object, "active"),
        (answer("[]"), "sso_unreadable", no_object, "active"),
        (answer("{}"), "sso_unreadable", "no access token", "active"),
        (answer(r#"{"error":"invalid_grant"}"#), "sso_unreadable", "no access token", "active"),
    ]
}

/// Everything that a refresh may change, of the one login.
type Login = (Vec<u8>, Vec<u8>, i64, String, String, i32);

const LOGIN: &str = "select access_token_sealed, refresh_token_sealed, refresh_token_version, cast(expires_at as text),
                     coalesce(owner_hash, ''), strikes from token_stream";

/// Lets one refresh meet a fault; the row must tell of it.
async fn meet(fleet: &Fleet<'_>, (fault, code, words, state): &Case) {
    fleet.simulator.fault(json!([{ "on": "token", "do": fault }])).await;
    fleet.make_due().await;
    assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(1), "{fault}");
    fleet.drain().await;
    let told: Vec<(String, String, String)> =
        fleet.database.rows("select last_error_code, last_error, state from token_stream").await;
    let (found_code, found_words, found_state) = &told[0];
    assert_eq!((found_code.as_str(), found_state.as_str()), (*code, *state), "{fault}: {found_words}");
    assert!(found_words.contains(words), "{fault}: {found_words}");
    assert_eq!(fleet.simulator.counters().await.requests_to("list"), 0, "{fault}");
    // An operator has looked into it.
    fleet.database.execute("update token_stream set state = 'active' where state = 'quarantined'").await;
}

async fn everything_comes_in(fleet: &Fleet<'_>) {
    fleet.simulator.heal().await;
    fleet.make_due().await;
    assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(1));
    fleet.drain().await;
    fleet.is_true().await;
}

fn an_answer_that_cannot_be_used_leaves_the_old_tokens_and_a_reason(on: On) {
    fleet(on, World::of(1, 5), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        let before: Vec<Login> = fleet.database.rows(LOGIN).await;
        for case in spoiled_grants().iter().chain(&no_grants()) {
            meet(fleet, case).await;
            assert_eq!(fleet.database.rows::<Login>(LOGIN).await, before, "{}", case.0);
        }
        everything_comes_in(fleet).await;
    });
}

fn a_new_refresh_token_in_an_answer_that_cannot_be_used_is_kept(on: On) {
    fleet(on, World::of(1, 5).with("--rotation=one-time-only"), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        for case in &spoiled_grants() {
            let before = fleet.held_refresh_tokens().await;
            meet(fleet, case).await;
            assert_ne!(fleet.held_refresh_tokens().await, before, "{}", case.0);
            fleet.every_held_token_works().await;
        }
        everything_comes_in(fleet).await;
    });
}

fn all_issuers_and_both_algorithms_serve_with_the_key_set_or_without_it(on: On) {
    fleet(on, World::of(1, 5).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        for issuer in ["login.eveonline.com", "https://login.eveonline.com", "https://login.eveonline.com/"] {
            for algorithm in ["RS256", "ES256"] {
                fleet.simulator.set_sso(&json!({ "issuer": issuer, "algorithm": algorithm })).await;
                let outage = json!({ "on": "jwks", "do": { "kind": "answer", "status": 503 } });
                for faults in [json!([]), json!([outage])] {
                    fleet.simulator.fault(faults.clone()).await;
                    fleet.let_tokens_expire().await;
                    fleet.lists_have_expired().await;
                    assert_eq!(fleet.tick(&["--force"]).await, Tick::only_refreshed(1));
                    fleet.drain().await;
                    let well = "token_stream where state = 'active' and last_error_code is null and expires_at > now()";
                    assert_eq!(fleet.database.count(well).await, 1, "{issuer} {algorithm} {faults}");
                }
            }
        }
        fleet.is_true().await;
    });
}

fn a_login_that_loses_its_scope_is_not_refused_and_serves_again_after_the_next_login(on: On) {
    fleet(on, World::of(1, 5).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        let pilot = fleet.simulator.pilots().await.remove(0);
        let changes = json!({ "name": "Another Name", "scopes": [] });
        fleet.simulator.change(pilot.character_id, &changes).await;
        fleet.let_tokens_expire().await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(1));
        fleet.drain().await;
        let row: Vec<(String, i32, String)> = fleet
            .database
            .rows("select s.state, s.strikes, c.last_reason from token_stream s join character c using (character_id)")
            .await;
        assert_eq!(row, [("active".to_owned(), 0, "scope_missing".to_owned())]);
        fleet.every_held_token_works().await;

        let token = fleet.simulator.login(pilot.character_id).await;
        fleet.add(pilot.character_id, &token).run().await.well();
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}
