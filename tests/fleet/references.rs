//! References of killmails that are wanted, and nobody works on them, or one of them is bad: all others are stored.

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, On, Tick, World, eventually, fleet, list, on_both};

on_both![
    killmails_are_fetched_although_nobody_serves_their_character_any_more,
    bad_ones_among_good_ones_in_one_job_hold_up_neither_these_nor_the_character,
];

async fn wanted(fleet: &Fleet<'_>) -> i64 {
    fleet.database.count("killmail_ref where state = 'wanted'").await
}

fn killmails_are_fetched_although_nobody_serves_their_character_any_more(on: On) {
    fleet(on, World::of(3, 30).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        let unavailable = json!({ "kind": "answer", "status": 503 });
        fleet.simulator.fault(json!([{ "on": "detail", "do": unavailable }])).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        assert_eq!(wanted(fleet).await, 30);
        let failed = fleet.simulator.counters().await.requests_to("detail");
        let pilots = fleet.simulator.pilots().await;
        let id = pilots[0].character_id.to_string();
        fleet.killfleet(&["character", "remove", &id, "--yes"]).run().await.well();
        let login = |state: &str| format!("update token_stream set state = '{state}'");
        fleet.database.execute(&login("dead")).await;

        fleet.simulator.heal().await;
        fleet.pauses_are_over().await;
        fleet.make_due().await;
        fleet.lists_have_expired().await;
        let tick = fleet.tick(&[]).await;
        let skipped = [("needs_login".to_owned(), 2)].into();
        assert_eq!(tick, Tick { due: 2, skipped, queued_detail_killmails: 30, ..Tick::default() });
        fleet.drain().await;
        assert_eq!((wanted(fleet).await, fleet.database.count("killmail").await), (0, 30));

        fleet.database.execute(&login("active")).await;
        fleet.add(pilots[0].character_id, pilots[0].refresh_token.as_deref().unwrap()).run().await.well();
        fleet.tick(&["--force"]).await;
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: failed, ..Exceptions::default() }).await;
    });
}

fn bad_ones_among_good_ones_in_one_job_hold_up_neither_these_nor_the_character(on: On) {
    fleet(on, World::of(1, 40).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        let (character_id, killmail_ids) = fleet.busiest().await;
        assert_eq!(killmail_ids.len(), 40, "they fit into one job");
        let killmails = fleet.simulator.truth().await.killmails;
        let another = killmails.iter().find(|killmail| killmail.killmail_id == killmail_ids[0]).unwrap();
        let faults = [
            json!({ "kind": "answer", "status": 422, "body": r#"{"error":"Invalid killmail_id and/or killmail_hash"}"# }),
            json!({ "kind": "answer", "status": 400 }),
            json!({ "kind": "answer", "status": 404 }),
            json!({ "kind": "html" }),
            json!({ "kind": "answer", "status": 200, "body": another.body.get() }),
        ];
        // One in every seven.
        let bad: Vec<i64> = killmail_ids.iter().skip(3).step_by(7).take(faults.len()).copied().collect();
        let on_them = bad.iter().zip(&faults);
        let faults: Vec<Value> = on_them
            .map(|(killmail_id, fault)| json!({ "on": "detail", "killmail_id": killmail_id, "do": fault }))
            .collect();
        fleet.simulator.fault(json!(faults)).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let stored: Vec<(i64,)> = fleet.database.rows("select killmail_id from killmail").await;
        assert_eq!(stored.len(), 35);
        assert!(stored.iter().all(|(killmail_id,)| !bad.contains(killmail_id)));
        let invalid: Vec<(i64,)> =
            fleet.database.rows("select killmail_id from killmail_ref where state = 'invalid'").await;
        assert_eq!(invalid, [(bad[0],)]);
        let put_off = "killmail_ref where state = 'wanted' and due_at > now() and last_reason is not null";
        assert_eq!(fleet.database.count(put_off).await, 4);

        // Its list is walked as ever, and what is new comes with it.
        let undisturbed = "character where attempt = 0 and last_verdict = 'done'";
        assert_eq!(fleet.database.count(undisturbed).await, 1);
        fleet.lists_have_expired().await;
        let fought = fleet.simulator.fight(&[character_id], 3).await;
        assert_eq!(fleet.tick(&["--force"]).await, Tick::only_listed(1));
        fleet.drain().await;
        assert_eq!(fleet.database.count(&format!("killmail where killmail_id in {}", list(&fought))).await, 3);
        assert_eq!(fleet.database.count(undisturbed).await, 1);

        fleet.simulator.heal().await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let invalid = vec![bad[0]];
        fleet.is_true_but(Exceptions { invalid, repeated_details: 4, ..Exceptions::default() }).await;
    });
}

/// Its message is lost as well, so that nobody is told to take it over.
#[test]
fn what_a_worker_had_in_hand_when_it_died_is_fetched_when_its_lease_has_run_out() {
    fleet(On::Services, World::of(2, 20), async |fleet: &Fleet| {
        let (_, killmail_ids) = fleet.busiest().await;
        fleet.tick(&[]).await;
        fleet.drain_lane("list").await;
        let held = killmail_ids[killmail_ids.len() / 2];
        fleet.simulator.fault(json!([{ "on": "detail", "killmail_id": held, "do": { "kind": "hold" } }])).await;
        let worker = fleet.worker(&["--lanes", "detail"]).start();
        fleet.simulator.has_bitten("hold").await;
        worker.kill().await;
        fleet.simulator.heal().await;
        eventually("the message is back", async || fleet.queues().ready("detail").await >= 1).await;
        fleet.queues().purge("detail").await;
        let left = wanted(fleet).await;
        assert!(left >= 1);
        fleet.database.execute("update killmail_ref set hinted_at = hinted_at - interval '6 minutes'").await;
        let leased = "killmail_ref where lease_until > now()";
        let in_hand = fleet.database.count(leased).await;
        assert!(in_hand >= 1);
        let tick = fleet.tick(&[]).await;
        assert_eq!(i64::try_from(tick.queued_detail_killmails).unwrap(), left - in_hand, "a lease is believed");
        fleet.drain().await;
        assert_eq!(wanted(fleet).await, in_hand);

        fleet.database.execute("update killmail_ref set lease_until = now() where lease_until > now()").await;
        let tick = fleet.tick(&[]).await;
        assert_eq!(i64::try_from(tick.queued_detail_killmails).unwrap(), in_hand);
        fleet.drain().await;
        // What was on its way in each of its jobs when it died.
        fleet.is_true_but(Exceptions { repeated_details: 4, ..Exceptions::default() }).await;
    });
}
