//! A refresh that brings less than was granted before: ESI is not asked with such a token, which it would refuse and
//! charge dearly for, and another login of the character serves in the same job.

use serde_json::json;

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![
    a_token_that_has_lost_its_scope_is_not_sent_to_esi,
    another_login_serves_in_the_same_job_when_one_has_lost_its_scope,
];

const LIST_SCOPE: &str = "esi-killmails.read_killmails.v1";

/// In the middle of a job ESI takes a token no more, and so there has to be a refresh.
async fn tokens_end_early(fleet: &Fleet<'_>) {
    let ended = json!({ "kind": "answer", "status": 401, "body": r#"{"error":"token is expired"}"# });
    fleet.simulator.fault(json!([{ "on": "list", "do": ended, "times": 1 }])).await;
}

/// The row says that the scope was not granted, which is another matter than one that ESI refuses.
async fn is_told(fleet: &Fleet<'_>) {
    let granted = format!("token_stream where cast(granted_scopes as text) like '%{LIST_SCOPE}%'");
    assert_eq!(fleet.database.count(&granted).await, 0);
    assert_eq!(fleet.database.count("token_stream where scope_refused_at is not null").await, 0);
    assert_eq!(fleet.database.count("token_stream where state = 'active' and strikes = 0").await, 1);
    let told = "character where last_verdict = 'skipped' and last_reason = 'scope_missing'";
    assert_eq!(fleet.database.count(told).await, 1);
}

/// The token was good when the job was queued.
#[test]
fn a_job_in_the_list_lane_does_not_send_a_token_that_has_lost_its_scope() {
    fleet(On::Services, World::of(1, 5), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(1));
        fleet.simulator.change(character_id, &json!({ "scopes": [] })).await;
        fleet.let_tokens_expire().await;
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("token"), counters.requests_to("list")), (1, 0));
        is_told(fleet).await;
        fleet.every_held_token_works().await;
    });
}

fn a_token_that_has_lost_its_scope_is_not_sent_to_esi(on: On) {
    fleet(on, World::of(1, 5), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        fleet.simulator.change(character_id, &json!({ "scopes": [] })).await;
        tokens_end_early(fleet).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(1));
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("token"), counters.requests_to("list")), (1, 1));
        is_told(fleet).await;

        // No sibling gets it for that scope either.
        let id = character_id.to_string();
        let ended = fleet.killfleet(&["token", &id, "--scope", LIST_SCOPE]).run().await.with_code(1);
        assert!(ended.stderr.last().unwrap().contains("holds the scopes that were asked for"), "{:?}", ended.stderr);
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 1, "a refresh would not bring it");
    });
}

fn another_login_serves_in_the_same_job_when_one_has_lost_its_scope(on: On) {
    fleet(on, World::of(1, 5), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        fleet.simulator.change(character_id, &json!({ "scopes": [] })).await;
        let token = fleet.simulator.login_for(character_id, &[LIST_SCOPE]).await;
        fleet.add(character_id, &token).run().await.well();
        fleet.simulator.reset_counters().await;
        // The first one looks the fresher of the two: its token is used, and it is refreshed first.
        let expire = "update token_stream set expires_at = now() - interval '1 minute' where token_stream_id";
        fleet.database.execute(&format!("{expire} = (select max(token_stream_id) from token_stream)")).await;
        tokens_end_early(fleet).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(1));
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("token"), counters.requests_to("list")), (2, 2));
        assert_eq!(counters.answers_with(403), 0);
        assert_eq!(fleet.database.count("sync_run").await, 1, "one job");
        fleet.is_true().await;
    });
}
