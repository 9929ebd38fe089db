//! A login that has endless trouble, for whatever reason, beside a good one of the same character: the trouble is told in its
//! row, and from the next job on the good one serves. An outage that hits all is asked once in each job.

use serde_json::{Value, json};

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![
    the_next_job_takes_the_other_login,
    in_an_outage_each_job_makes_one_call,
    a_scope_that_is_refused_at_a_refresh_concerns_one_login_alone,
];

const HARMED: &str = "token_stream where state <> 'active' or strikes > 0 or next_probe_at is not null";

/// One character with two logins; the first looks the fresher of the two.
async fn sign_in_again(fleet: &Fleet<'_>) {
    let character_id = fleet.simulator.pilots().await[0].character_id;
    let token = fleet.simulator.login(character_id).await;
    fleet.add(character_id, &token).run().await.well();
}

async fn let_tokens_expire(fleet: &Fleet<'_>) {
    fleet
        .database
        .execute(
            "update token_stream set expires_at = now() - interval '2 minutes';
             update token_stream set expires_at = now() - interval '1 minute'
             where token_stream_id = (select min(token_stream_id) from token_stream)",
        )
        .await;
}

async fn one_job(fleet: &Fleet<'_>) -> u64 {
    fleet.simulator.reset_counters().await;
    fleet.lists_have_expired().await;
    fleet.make_due().await;
    assert_eq!(fleet.tick(&["--force"]).await, Tick::only_refreshed(1));
    fleet.drain().await;
    fleet.simulator.counters().await.requests_to("token")
}

async fn code_of_the_first(fleet: &Fleet<'_>) -> Option<String> {
    let row = "select last_error_code from token_stream where last_error_code is not null order by token_stream_id";
    fleet.database.rows::<(String,)>(row).await.into_iter().next().map(|(code,)| code)
}

fn the_next_job_takes_the_other_login(on: On) {
    fleet(on, World::of(1, 5).with("--list-ttl-seconds=1").with("--window-seconds=1"), async |fleet: &Fleet| {
        sign_in_again(fleet).await;
        let answer = |status: u16, body: &str| json!({ "kind": "answer", "status": status, "body": body });
        let troubles: [(Value, &str); 4] = [
            (answer(500, r#"{"Message":"An error has occurred."}"#), "sso_unavailable"),
            (answer(400, "<html>"), "sso_unavailable"),
            (answer(400, r#"{"error":"surprise"}"#), "surprise"),
            (json!({ "kind": "reset" }), "sso_unreachable"),
        ];
        for (trouble, code) in troubles {
            fleet.simulator.fault(json!([{ "on": "token", "login": 1, "do": trouble }])).await;
            let_tokens_expire(fleet).await;
            fleet.database.execute("update token_stream set last_error_at = null, last_error_code = null").await;
            assert_eq!(one_job(fleet).await, 1, "{trouble}: no second call in the same job");
            assert_eq!(fleet.database.count("character where last_verdict = 'retry'").await, 1, "{trouble}");
            assert_eq!(code_of_the_first(fleet).await.as_deref(), Some(code));
            // From now on it is the other one's turn, also when that has to be refreshed again.
            for _ in 0..2 {
                assert_eq!(one_job(fleet).await, 1, "{trouble}");
                assert_eq!(fleet.database.count("character where last_verdict = 'done'").await, 1, "{trouble}");
                let_tokens_expire(fleet).await;
            }
            assert_eq!(fleet.database.count(HARMED).await, 0, "{trouble}");
        }
        fleet.is_true().await;
    });
}

fn in_an_outage_each_job_makes_one_call(on: On) {
    fleet(on, World::of(1, 5), async |fleet: &Fleet| {
        sign_in_again(fleet).await;
        fleet.simulator.fault(json!([{ "on": "token", "do": { "kind": "answer", "status": 503 } }])).await;
        let_tokens_expire(fleet).await;
        for failed in [1, 2, 2, 2] {
            assert_eq!(one_job(fleet).await, 1);
            assert_eq!(fleet.database.count("token_stream where last_error_at is not null").await, failed, "in turn");
        }
        assert_eq!(fleet.database.count(HARMED).await, 0);
        fleet.simulator.heal().await;
        assert_eq!(one_job(fleet).await, 1);
        fleet.is_true().await;
    });
}

fn a_scope_that_is_refused_at_a_refresh_concerns_one_login_alone(on: On) {
    fleet(on, World::of(3, 9), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        let body = r#"{"error":"invalid_scope","error_description":"The requested scope is invalid."}"#;
        let refused = json!({ "kind": "answer", "status": 400, "body": body });
        fleet.simulator.fault(json!([{ "on": "token", "character_id": character_id, "do": refused }])).await;
        fleet.let_tokens_expire().await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(3));
        fleet.drain().await;
        assert_eq!(fleet.database.count("fleet_pause").await, 0);
        assert_eq!(fleet.outputs.count(&["ERROR"]), 0);
        assert_eq!(fleet.database.count("character where last_verdict = 'done'").await, 2);
        assert_eq!(fleet.database.count(HARMED).await, 0);
        let told = "token_stream where last_error_code = 'invalid_scope' and last_error like '%scope is invalid%'";
        assert_eq!(fleet.database.count(told).await, 1);

        // CCP has taken it back.
        fleet.simulator.heal().await;
        fleet.make_due().await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(1));
        fleet.drain().await;
        fleet.is_true().await;
    });
}
