//! EVE SSO and ESI.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::round::Round;

const SPAN: Duration = Duration::from_secs(5);

/// For some seconds the simulator has these faults.
async fn for_a_while(round: &mut Round<'_>, faults: Value) {
    round.count_fault(0);
    round.fleet.simulator.fault(faults).await;
    sleep(SPAN).await;
    round.fleet.simulator.heal().await;
}

/// The same on answers of ESI: what was spoiled is asked for again.
async fn esi_for_a_while(round: &mut Round<'_>, faults: Value) {
    let before = round.bites().await;
    for_a_while(round, faults).await;
    round.allow_repeats(round.bites().await - before);
}

pub(super) async fn sso_down(round: &mut Round<'_>) {
    let down = json!({ "kind": "answer", "status": 503, "body": "<html>maintenance</html>" });
    for_a_while(round, json!([{ "on": "token", "do": down }])).await;
    for_a_while(round, json!([{ "on": "token", "do": { "kind": "reset" } }])).await;
}

pub(super) async fn sso_slow(round: &mut Round<'_>) {
    for_a_while(round, json!([{ "on": "token", "do": { "kind": "delay", "milliseconds": 2000 } }])).await;
}

pub(super) async fn sso_loses_answers(round: &mut Round<'_>) {
    for_a_while(round, json!([{ "on": "token", "probability": 0.5, "do": { "kind": "lost_answer" } }])).await;
}

pub(super) async fn esi_down(round: &mut Round<'_>) {
    let down = json!({ "kind": "answer", "status": 503, "body": "{\"error\":\"down\"}" });
    esi_for_a_while(round, json!([{ "on": "esi", "do": down }])).await;
}

pub(super) async fn esi_says_420(round: &mut Round<'_>) {
    let limited = json!({ "kind": "answer", "status": 420, "headers": { "X-ESI-Error-Limit-Reset": "3" } });
    esi_for_a_while(round, json!([{ "on": "esi", "probability": 0.3, "do": limited }])).await;
}

pub(super) async fn esi_says_429(round: &mut Round<'_>) {
    let wait = json!({ "kind": "answer", "status": 429, "headers": { "Retry-After": "2" } });
    esi_for_a_while(round, json!([{ "on": "esi", "probability": 0.3, "do": wait }])).await;
}

pub(super) async fn esi_sends_garbage(round: &mut Round<'_>) {
    let spoil = |kind: &str| json!({ "on": "esi", "probability": 0.1, "do": { "kind": kind } });
    let kinds = ["truncate", "html", "wrong_types", "reset", "lost_answer"];
    esi_for_a_while(round, kinds.into_iter().map(spoil).collect()).await;
}
