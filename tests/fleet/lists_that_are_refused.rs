//! Lists that ESI refuses: each answer costs what it must and no more, and the row says why and when it is due again.

use serde_json::{Value, json};

use crate::harness::{Fleet, On, World, fleet, on_both};

on_both![a_refused_list_is_asked_for_again_when_that_makes_sense];

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// The longest delay after a first and a second failure that passes.
const SOON: i64 = 60;

struct Refusal {
    status: u16,
    body: &'static str,
    /// Of the list, each time that it is due.
    calls: u64,
    /// Each time: the token that was refused last is kept, and tried first the next time.
    refreshes: u64,
    is_attempt_counted: bool,
    due_in_seconds: i64,
}

const fn waits(status: u16, body: &'static str, due_in_seconds: i64) -> Refusal {
    Refusal { status, body, calls: 1, refreshes: 0, is_attempt_counted: false, due_in_seconds }
}

const fn passes(status: u16, body: &'static str) -> Refusal {
    Refusal { status, body, calls: 1, refreshes: 0, is_attempt_counted: true, due_in_seconds: SOON }
}

/// The access token is renewed, and the list asked for once more.
const fn wants_another_token(status: u16, body: &'static str) -> Refusal {
    Refusal { calls: 2, refreshes: 1, ..passes(status, body) }
}

const REFUSALS: [Refusal; 10] = [
    waits(400, r#"{"error":"Invalid compatibility date"}"#, HOUR),
    waits(422, r#"{"error":"page: not a number","status":422,"details":[]}"#, HOUR),
    waits(403, r#"{"error":"Forbidden"}"#, DAY),
    passes(403, r#"{"error":"unexpected end of JSON input","sso_status":401}"#),
    passes(403, "<html>Forbidden</html>"),
    wants_another_token(401, r#"{"error":"Unauthorized - Invalid token"}"#),
    wants_another_token(403, r#"{"error":"token expiry is too far in the future","sso_status":200}"#),
    passes(302, ""),
    passes(304, ""),
    passes(504, r#"{"error":"Timeout contacting tranquility","timeout":10}"#),
];
/// What one round of them costs: 5 tokens for a 4xx, 1 for a 3xx, nothing for a 5xx.
const TOKENS: u64 = 5 * 9 + 2;

fn a_refused_list_is_asked_for_again_when_that_makes_sense(on: On) {
    fleet(on, World::of(11, 60), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let faults: Vec<Value> = pilots
            .iter()
            .zip(&REFUSALS)
            .map(|(pilot, Refusal { status, body, .. })| {
                let headers = json!({ "Location": "/elsewhere" });
                let answer = json!({ "kind": "answer", "status": status, "body": body, "headers": headers });
                json!({ "on": "list", "character_id": pilot.character_id, "do": answer })
            })
            .collect();
        fleet.simulator.fault(json!(faults)).await;
        for round in 1..=2 {
            fleet.tick(&[]).await;
            fleet.drain().await;
            let counters = fleet.simulator.counters().await;
            for (pilot, refusal) in pilots.iter().zip(&REFUSALS) {
                let (character_id, told) = (pilot.character_id, format!("{} {}", refusal.status, refusal.body));
                assert_eq!(counters.list_calls_by_character[&character_id], round * refusal.calls, "{told}");
                let refreshes = counters.token_calls_by_character.get(&character_id).copied().unwrap_or_default();
                assert_eq!(refreshes, round * refusal.refreshes, "{told}");
                let attempt = if refusal.is_attempt_counted { round } else { 0 };
                let latest = refusal.due_in_seconds;
                let earliest = if latest == SOON { 0 } else { latest - 1 };
                let put_off = format!(
                    "character where character_id = {character_id} and last_verdict = 'retry' and attempt = {attempt}
                     and last_reason is not null and last_synced_at is null
                     and lease_until is null and hinted_at is null
                     and next_sync_at > last_verdict_at + interval '{earliest} seconds'
                     and next_sync_at < last_verdict_at + interval '{} seconds'",
                    latest + 1
                );
                assert_eq!(fleet.database.count(&put_off).await, 1, "{told}");
            }
            // The eleventh is served, once, for 2 tokens.
            assert_eq!(counters.tokens_spent["char-killmail"], round * TOKENS + 2);
            fleet.make_due().await;
        }
        let remembered = "token_stream where state <> 'active' or strikes > 0 or scope_refused_at is not null";
        assert_eq!(fleet.database.count(remembered).await, 0, "nothing is held against a login");

        fleet.simulator.heal().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}
