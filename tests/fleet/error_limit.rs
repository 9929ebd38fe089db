//! ESI's error limit: the fleet slows down and stops before it is spent, and when it is spent all the same (420).

use serde_json::json;

use crate::harness::{Exceptions, Fleet, On, World, fleet, on_both};

on_both![
    one_answer_of_420_pauses_every_worker,
    lists_that_are_answered_with_420_stop_bodies_too,
    with_few_errors_left_nobody_calls_before_the_reset,
    a_good_answer_that_tells_of_many_errors_slows_all_down,
];

/// Jobs of one lane at a time in one process, by default: so many calls may be under way before the first is answered.
const CALLS_AT_ONCE: u64 = 4;

fn one_answer_of_420_pauses_every_worker(on: On) {
    fleet(on, World::of(4, 20), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        // All of them in one job, so that no other request is on its way when the answer comes.
        fleet.forget_bodies().await;
        let limited = json!({ "kind": "answer", "status": 420, "headers": { "X-ESI-Error-Limit-Reset": "30" } });
        fleet.simulator.fault(json!([{ "on": "detail", "times": 1, "do": limited }])).await;
        fleet.simulator.reset_counters().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("detail"), 1);
        let paused = "fleet_pause where scope = 'esi' and until > now() + interval '20 seconds'
                      and until <= now() + interval '31 seconds'";
        assert_eq!(fleet.database.count(paused).await, 1);
        let waiting =
            "killmail_ref where state = 'wanted' and due_at > now() and attempt = 0 and last_reason is not null";
        let wanted = fleet.database.count("killmail_ref where state = 'wanted'").await;
        assert!(wanted > 10);
        assert_eq!(fleet.database.count(waiting).await, wanted, "waiting costs no attempt");

        // Another worker, while the pause is in force, with lists that are due as well.
        fleet.make_due().await;
        fleet.database.execute("update character set list_expires_at = now() - interval '1 second'").await;
        let tick = fleet.tick(&[]).await;
        assert_eq!((tick.queued_list, tick.queued_detail_killmails), (0, 0), "nothing is even queued");
        assert_eq!(tick.skipped, [("esi_paused".to_owned(), 4)].into());
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("detail"), counters.requests_to("list")), (1, 0), "nobody asks ESI");

        // The pause is over. ESI's own copies of the lists have not expired, so only the bodies are asked for.
        fleet
            .database
            .execute(
                "update fleet_pause set until = now();
                 update killmail_ref set due_at = now();
                 update character set list_expires_at = now() + interval '5 minutes'",
            )
            .await;
        assert_eq!(fleet.tick(&[]).await.queued_detail_killmails, wanted as u64);
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: 1, ..Exceptions::default() }).await;
    });
}

fn lists_that_are_answered_with_420_stop_bodies_too(on: On) {
    fleet(on, World::of(12, 24), async |fleet: &Fleet| {
        let limited = json!({ "kind": "answer", "status": 420, "body": "<html>slow down</html>" });
        fleet.simulator.fault(json!([{ "on": "list", "do": limited }])).await;
        assert_eq!(fleet.tick(&[]).await.queued_list, 12);
        fleet.drain().await;
        let calls = fleet.simulator.counters().await.requests_to("list");
        assert!((1..=CALLS_AT_ONCE).contains(&calls), "{calls} lists, although the first was told that all must stop");
        assert_eq!(fleet.database.count("fleet_pause where scope = 'esi' and until > now()").await, 1);
        let waiting = "character where last_verdict = 'retry' and attempt = 0 and last_reason is not null
                       and next_sync_at > now() and lease_until is null";
        assert_eq!(fleet.database.count(waiting).await, 12, "waiting costs no attempt");

        fleet.simulator.heal().await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("list"), counters.requests_to("detail")), (calls, 0), "the pause is kept");

        fleet.pauses_are_over().await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

/// An answer of a route without a bucket tells so.
fn left(remaining: u32, reset_seconds: u32) -> serde_json::Value {
    json!({
        "X-ESI-Error-Limit-Remain": remaining.to_string(),
        "X-ESI-Error-Limit-Reset": reset_seconds.to_string(),
    })
}

/// The pause of all calls is due to the errors that are left, and ends so many seconds from now.
async fn is_paused(fleet: &Fleet<'_>, remaining: u32, seconds: std::ops::RangeInclusive<u32>) -> bool {
    let paused = format!(
        "fleet_pause where scope = 'esi' and reason = 'error limit: {remaining} errors left'
         and until between now() + interval '{} seconds' and now() + interval '{} seconds'",
        seconds.start(),
        seconds.end()
    );
    fleet.database.count(&paused).await == 1
}

fn with_few_errors_left_nobody_calls_before_the_reset(on: On) {
    fleet(on, World::of(4, 20), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        // All of them in one job, so that no other request is on its way when the answer comes.
        fleet.forget_bodies().await;
        let unavailable = json!({ "kind": "answer", "status": 502, "headers": left(17, 50) });
        fleet.simulator.fault(json!([{ "on": "detail", "times": 1, "do": unavailable }])).await;
        fleet.simulator.reset_counters().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("detail"), 1, "the others were not asked for");
        assert!(is_paused(fleet, 17, 30..=51).await);

        // Another worker, with lists that are due as well.
        fleet.make_due().await;
        fleet.database.execute("update character set list_expires_at = now() - interval '1 second'").await;
        let tick = fleet.tick(&[]).await;
        assert_eq!((tick.queued_list, tick.queued_detail_killmails), (0, 0), "nothing is even queued");
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("detail"), counters.requests_to("list")), (1, 0), "nobody asks ESI");

        fleet.pauses_are_over().await;
        fleet
            .database
            .execute(
                "update killmail_ref set due_at = now();
                 update character set list_expires_at = now() + interval '5 minutes'",
            )
            .await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: 1, ..Exceptions::default() }).await;
    });
}

fn a_good_answer_that_tells_of_many_errors_slows_all_down(on: On) {
    fleet(on, World::of(1, 0), async |fleet: &Fleet| {
        let mut headers = left(40, 2_100);
        headers["X-Pages"] = json!("1");
        let empty = json!({ "kind": "answer", "status": 200, "body": "[]", "headers": headers });
        fleet.simulator.fault(json!([{ "on": "list", "do": empty }])).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        // 2,100 s for 21 errors: up to the one that is the first too many.
        assert!(is_paused(fleet, 40, 80..=100).await);
        assert_eq!(fleet.database.count("character where last_verdict = 'done'").await, 1, "the answer itself counts");
        fleet.pauses_are_over().await;
        fleet.is_true().await;
    });
}
