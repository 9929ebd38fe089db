//! Killmail bodies that are not what the specification says, and hashes that ESI does not know.

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, On, Tick, World, fleet, list, on_both};

on_both![
    a_wrong_body_leaves_its_killmail_wanted_later_and_holds_up_no_other,
    members_that_nobody_knows_are_stored_too,
    a_body_that_tells_of_another_hash_is_stored_and_told_of,
    a_wrong_hash_is_asked_for_once_and_mended_by_the_list,
    a_body_that_is_refused_three_times_over_hours_is_parked_with_its_reason,
    an_outage_costs_three_requests_and_then_bodies_pause_for_all,
];

fn a_wrong_body_leaves_its_killmail_wanted_later_and_holds_up_no_other(on: On) {
    fleet(on, World::of(3, 15), async |fleet: &Fleet| {
        let (_, killmail_ids) = fleet.busiest().await;
        let killmail_id = killmail_ids[0];
        let killmails = fleet.simulator.truth().await.killmails;
        let another = killmails.iter().find(|killmail| killmail.killmail_id != killmail_id).unwrap();
        let wrong: [Value; 8] = [
            json!({ "kind": "html" }),
            json!({ "kind": "truncate" }),
            json!({ "kind": "wrong_types" }),
            json!({ "kind": "answer", "status": 500, "body": "{\"error\":\"internal\"}" }),
            json!({ "kind": "answer", "status": 503, "body": "<html>maintenance</html>" }),
            json!({ "kind": "reset" }),
            json!({ "kind": "answer", "status": 200, "body": another.body.get() }),
            json!({ "kind": "answer", "status": 302, "headers": { "Location": "/elsewhere" } }),
        ];
        let others = killmails.len() as i64 - 1;
        for (number, fault) in (1..).zip(&wrong) {
            fleet.simulator.fault(json!([{ "on": "detail", "killmail_id": killmail_id, "do": fault }])).await;
            fleet.database.execute("update killmail_ref set due_at = now() where state = 'wanted'").await;
            let tick = fleet.tick(&[]).await;
            assert_eq!(tick.queued_detail_killmails, u64::from(number > 1), "{fault}");
            fleet.drain().await;
            let put_off = format!(
                "killmail_ref where killmail_id = {killmail_id} and state = 'wanted' and last_reason is not null
                 and attempt = {number} and due_at > now() and hinted_at is null and lease_until is null"
            );
            assert_eq!(fleet.database.count(&put_off).await, 1, "{fault}");
            assert_eq!(fleet.database.count("killmail").await, others, "{fault}");
            let half = format!("killmail_participant where killmail_id = {killmail_id}");
            assert_eq!(fleet.database.count(&half).await, 0, "nothing half stored after {fault}");
        }
        fleet.simulator.heal().await;
        fleet.make_due().await;
        assert_eq!(fleet.tick(&[]).await.queued_detail_killmails, 1);
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: 8, ..Exceptions::default() }).await;
    });
}

fn members_that_nobody_knows_are_stored_too(on: On) {
    fleet(on, World::of(2, 8).with_real_killmails(), async |fleet: &Fleet| {
        fleet.simulator.fault(json!([{ "on": "detail", "do": { "kind": "unknown_fields" } }])).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let bodies: Vec<(String,)> = fleet.database.rows("select body::text from killmail").await;
        assert!(bodies.len() > 8, "the real ones are among them");
        let member = json!({ "added": [1, "two", null] });
        for (body,) in bodies {
            // At the top, in the victim and in every attacker, with its value as it was.
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((&body["future_member"], &body["victim"]["future_member"]), (&member, &member));
            let attackers = body["attackers"].as_array().unwrap();
            assert!(attackers.iter().all(|attacker| attacker["future_member"] == member), "{body}");
        }
        let extended = fleet.simulator.truth().await.killmails.iter().map(|killmail| killmail.killmail_id).collect();
        fleet.is_true_but(Exceptions { extended, ..Exceptions::default() }).await;
    });
}

fn a_body_that_tells_of_another_hash_is_stored_and_told_of(on: On) {
    fleet(on, World::of(2, 8), async |fleet: &Fleet| {
        let (_, killmail_ids) = fleet.busiest().await;
        let killmail_id = killmail_ids[0];
        let truth = fleet.simulator.truth().await;
        let killmail = truth.killmails.iter().find(|killmail| killmail.killmail_id == killmail_id).unwrap();
        let mut body: Value = serde_json::from_str(killmail.body.get()).unwrap();
        body["killmail_time"] = json!("2026-01-01T00:00:00Z");
        let answer = json!({ "kind": "answer", "status": 200, "body": body.to_string() });
        fleet.simulator.fault(json!([{ "on": "detail", "killmail_id": killmail_id, "do": answer }])).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let stored = format!("select body ->> 'killmail_time' from killmail where killmail_id = {killmail_id}");
        assert_eq!(fleet.database.value::<String>(&stored).await, "2026-01-01T00:00:00Z");
        assert_eq!(fleet.database.count("killmail_ref where state <> 'stored'").await, 0);
        let told = "the body tells of another hash";
        assert_eq!(fleet.outputs.count(&[told, &killmail_id.to_string()]), 1);
        assert_eq!(fleet.outputs.count(&[told]), 1, "of no other killmail");

        fleet.simulator.heal().await;
        fleet.database.execute(&format!("delete from killmail where killmail_id = {killmail_id}")).await;
        let wanted = format!("update killmail_ref set state = 'wanted' where killmail_id = {killmail_id}");
        fleet.database.execute(&wanted).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: 1, ..Exceptions::default() }).await;
    });
}

fn a_wrong_hash_is_asked_for_once_and_mended_by_the_list(on: On) {
    fleet(on, World::of(2, 8).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        let (_, killmail_ids) = fleet.busiest().await;
        let killmail_id = killmail_ids[0];
        fleet.forget_bodies().await;
        fleet.simulator.reset_counters().await;
        let wrong = "a".repeat(40);
        let spoil = format!("update killmail_ref set killmail_hash = '{wrong}' where killmail_id = {killmail_id}");
        fleet.database.execute(&spoil).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let invalid =
            format!("killmail_ref where killmail_id = {killmail_id} and state = 'invalid' and last_reason is not null");
        assert_eq!(fleet.database.count(&invalid).await, 1);

        fleet.make_due().await;
        assert_eq!(fleet.tick(&[]).await.queued_detail_killmails, 0);
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.answers_with(422), counters.detail_calls_by_killmail[&killmail_id]), (1, 1));
        fleet.is_true_but(Exceptions { invalid: vec![killmail_id], ..Exceptions::default() }).await;

        // The list shows another hash: the killmail gets another chance.
        fleet.lists_have_expired().await;
        assert_eq!(fleet.tick(&["--force", "--full"]).await, Tick::only_listed(2));
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: 1, ..Exceptions::default() }).await;
    });
}

fn a_body_that_is_refused_three_times_over_hours_is_parked_with_its_reason(on: On) {
    fleet(on, World::of(3, 15), async |fleet: &Fleet| {
        let (_, killmail_ids) = fleet.busiest().await;
        let refused = &killmail_ids[..2];
        let fault = |killmail_id, status| {
            let answer = json!({ "kind": "answer", "status": status });
            json!({ "on": "detail", "killmail_id": killmail_id, "do": answer })
        };
        fleet.simulator.fault(json!([fault(refused[0], 400), fault(refused[1], 404)])).await;
        for (refusals, minutes) in [(1, 60), (2, 360)] {
            fleet.tick(&[]).await;
            fleet.drain().await;
            let put_off = format!(
                "killmail_ref where killmail_id in {} and state = 'wanted' and refusals = {refusals}
                 and lease_until is null and due_at > now() + interval '{} minutes'
                 and due_at <= now() + interval '{minutes} minutes'",
                list(refused),
                minutes - 2
            );
            assert_eq!(fleet.database.count(&put_off).await, 2, "{refusals}");
            fleet.make_due().await;
        }
        assert_eq!(fleet.tick(&[]).await.queued_detail_killmails, 2);
        fleet.drain().await;
        let parked = format!(
            "killmail_ref where killmail_id in {} and state = 'parked' and last_reason is not null",
            list(refused)
        );
        assert_eq!(fleet.database.count(&parked).await, 2);
        assert_eq!(fleet.database.count("killmail_ref where state <> 'stored'").await, 2, "no other is held up");

        fleet.make_due().await;
        assert_eq!(fleet.tick(&[]).await.queued_detail_killmails, 0);
        fleet.drain().await;
        let calls = fleet.simulator.counters().await.detail_calls_by_killmail;
        assert_eq!([calls[&refused[0]], calls[&refused[1]]], [3, 3]);

        fleet.simulator.heal().await;
        fleet.database.execute("update killmail_ref set state = 'wanted' where state = 'parked'").await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: 6, ..Exceptions::default() }).await;
    });
}

fn an_outage_costs_three_requests_and_then_bodies_pause_for_all(on: On) {
    fleet(on, World::of(4, 20), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        // All of them in one job, so that no other request is on its way when the third one fails.
        fleet.forget_bodies().await;
        fleet.simulator.fault(json!([{ "on": "detail", "do": { "kind": "answer", "status": 503 } }])).await;
        fleet.simulator.reset_counters().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let pause = "fleet_pause where scope = 'esi:killmail' and reason like '%503%'";
        assert_eq!(fleet.database.count(pause).await, 1);
        fleet.database.execute("update fleet_pause set until = now() + interval '1 minute'").await;
        fleet.database.execute("update killmail_ref set due_at = now() where state = 'wanted'").await;
        assert_eq!(fleet.tick(&[]).await.queued_detail_killmails, 0);
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("detail"), 3);

        fleet.simulator.heal().await;
        fleet.database.execute("update fleet_pause set until = now()").await;
        fleet.database.execute("update killmail_ref set due_at = now() where state = 'wanted'").await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: 3, ..Exceptions::default() }).await;
    });
}
