//! ESI refuses a scope of a login that holds it: another login is tried in the same job, and no refresh takes it back.

use serde_json::{Value, json};

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![
    another_login_of_the_same_character_serves_in_the_same_job,
    a_character_whose_only_login_lacks_the_scope_is_skipped_and_tried_again_a_day_later,
];

fn scope_refused(times: Option<u32>) -> Value {
    let body = r#"{"error":"Token is not valid for any required scope"}"#;
    let answer = json!({ "kind": "answer", "status": 403, "body": body });
    match times {
        Some(times) => json!([{ "on": "list", "do": answer, "times": times }]),
        None => json!([{ "on": "list", "do": answer }]),
    }
}

const REFUSED: &str = "token_stream where scope_refused_at is not null";

fn another_login_of_the_same_character_serves_in_the_same_job(on: On) {
    fleet(on, World::of(1, 5).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        let token = fleet.simulator.login(character_id).await;
        fleet.add(character_id, &token).run().await.well();
        fleet.simulator.fault(scope_refused(Some(1))).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(1));
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("list"), counters.answers_with(403)), (2, 1));
        assert_eq!(fleet.database.count(REFUSED).await, 1);
        assert_eq!(fleet.database.count(&format!("{REFUSED} and last_used_at is null")).await, 1);
        assert_eq!(fleet.database.count("token_event where event = 'scope_refused'").await, 1);

        // A refresh does not take it back: the next list is asked for with the other login at once.
        fleet.let_tokens_expire().await;
        fleet.lists_have_expired().await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("list"), counters.answers_with(403)), (3, 1));
        fleet.is_true().await;
    });
}

fn a_character_whose_only_login_lacks_the_scope_is_skipped_and_tried_again_a_day_later(on: On) {
    fleet(on, World::of(1, 5), async |fleet: &Fleet| {
        fleet.simulator.fault(scope_refused(None)).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(1));
        fleet.drain().await;
        let told = "character where last_verdict = 'skipped' and last_reason = 'scope_missing'";
        assert_eq!(fleet.database.count(told).await, 1);
        let skipped = Tick { due: 1, skipped: [("scope_missing".to_owned(), 1)].into(), ..Tick::default() };
        assert_eq!(fleet.tick(&[]).await, skipped);
        fleet.drain().await;
        for (calls, is_healed) in [(2, false), (3, true)] {
            if is_healed {
                fleet.simulator.heal().await;
            }
            let a_day_later = "update token_stream set scope_refused_at = now() - interval '24 hours'";
            fleet.database.execute(a_day_later).await;
            assert_eq!(fleet.tick(&[]).await, Tick::only_listed(1));
            fleet.drain().await;
            assert_eq!(fleet.simulator.counters().await.requests_to("list"), calls);
            assert_eq!(fleet.database.count(REFUSED).await, i64::from(!is_healed));
        }
        assert_eq!(fleet.database.count("token_event where event = 'scope_accepted'").await, 1);
        fleet.is_true().await;
    });
}
