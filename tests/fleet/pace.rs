//! What the fleet may spend on bodies, and its pauses, as a process meets them that has not brought them about.

use serde_json::json;

use crate::harness::{Fleet, On, World, eventually, fleet, on_both};

on_both![
    what_others_have_spent_binds_a_process_that_has_just_begun,
    a_bucket_that_somebody_else_empties_is_left_alone_and_another_limit_holds,
];

fn what_others_have_spent_binds_a_process_that_has_just_begun(on: On) {
    fleet(on, World::of(3, 30), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.forget_bodies().await;
        fleet.simulator.reset_counters().await;
        let all_of_it = "update esi_spent set tokens = 0;
                         insert into esi_spent (bucket, at, tokens) values ('esi:killmail', now(), 3456)";
        fleet.database.execute(all_of_it).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("detail"), 0);
        let paused = "fleet_pause where scope = 'esi:killmail' and reason like '%used up%'
                      and until > now() + interval '13 minutes' and until <= now() + interval '15 minutes'";
        assert_eq!(fleet.database.count(paused).await, 1);
        let waiting = "killmail_ref where state = 'wanted' and attempt = 0 and due_at > now()";
        assert_eq!(fleet.database.count(waiting).await, 30, "waiting costs no attempt");

        // A window later.
        fleet.database.execute("update esi_spent set at = now() - interval '16 minutes'").await;
        fleet.database.execute("update esi_bucket set free_at = now()").await;
        fleet.pauses_are_over().await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

fn a_bucket_that_somebody_else_empties_is_left_alone_and_another_limit_holds(on: On) {
    fleet(on, World::of(3, 30), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        // All of them in one job, so that no other request is on its way when the answer comes.
        fleet.forget_bodies().await;
        let killmails = fleet.simulator.truth().await.killmails;
        let faults: Vec<_> = killmails
            .iter()
            .map(|killmail| {
                let headers = json!({ "X-Ratelimit-Limit": "1200/15m", "X-Ratelimit-Remaining": "19" });
                let answer =
                    json!({ "kind": "answer", "status": 200, "body": killmail.body.get(), "headers": headers });
                json!({ "on": "detail", "killmail_id": killmail.killmail_id, "do": answer })
            })
            .collect();
        fleet.simulator.fault(json!(faults)).await;
        fleet.simulator.reset_counters().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("detail"), 1);
        assert_eq!(fleet.database.count("killmail").await, 1, "the body that came with it is stored");
        assert_eq!(fleet.database.count("esi_bucket where limit_tokens = 1200 and remaining = 19").await, 1);
        let spared = "fleet_pause where scope = 'esi:killmail' and reason = '19 of 1200 tokens left'
                      and until <= now() + interval '15 seconds'";
        assert_eq!(fleet.database.count(spared).await, 1);

        fleet.simulator.heal().await;
        fleet.pauses_are_over().await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        assert_eq!(fleet.database.count("esi_bucket where limit_tokens = 3600").await, 1);
        fleet.is_true().await;
    });
}

#[test]
fn a_pause_that_has_begun_takes_no_turns_from_those_who_call_after_it() {
    fleet(On::Services, World::of(12, 60), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain_lane("list").await;
        assert!(fleet.queues().ready("detail").await >= 10, "a job for every list");
        let pause = "insert into fleet_pause (scope, reason, until)
                     values ('esi:killmail', 'a drill', now() + interval '1 hour')";
        fleet.database.execute(pause).await;
        fleet.drain().await;
        assert_eq!(fleet.database.count("killmail_ref where state = 'wanted' and due_at > now()").await, 60);
        assert_eq!(fleet.database.count("esi_spent").await, 0);
        fleet.pauses_are_over().await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

/// Four bodies at the same time, each a tenth of a second long: forty in a second.
#[test]
fn a_pause_is_kept_within_two_seconds_by_a_worker_in_the_middle_of_its_work() {
    fleet(On::Services, World::of(6, 300), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain_lane("list").await;
        let slow = json!({ "kind": "delay", "milliseconds": 100 });
        fleet.simulator.fault(json!([{ "on": "detail", "do": slow }])).await;
        let worker = fleet.worker(&[]).start();
        let asked = async || fleet.simulator.counters().await.requests_to("detail");
        eventually("it is at work", async || asked().await >= 20).await;
        let pause =
            "insert into fleet_pause (scope, reason, until) values ('esi', 'a drill', now() + interval '1 hour')";
        fleet.database.execute(pause).await;
        let before = asked().await;
        let put_off = "killmail_ref where state = 'wanted' and (lease_until is not null or hinted_at is not null)";
        eventually("all are put off", async || fleet.database.count(put_off).await == 0).await;
        let calls = asked().await - before;
        assert!(calls <= 2 * 40 + 4, "{calls} calls");
        assert!(fleet.database.count("killmail_ref where state = 'wanted'").await > 100);
        assert_eq!(fleet.database.count("killmail_ref where state = 'wanted' and attempt > 0").await, 0);
        worker.signal("TERM");
        worker.ended().await.well();

        fleet.simulator.heal().await;
        fleet.pauses_are_over().await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}
