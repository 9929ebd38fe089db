//! 429: one bucket stops, for as long as ESI says and never for longer than an hour, and nobody else does.

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, On, World, fleet, on_both};

on_both![a_list_that_is_told_to_wait_waits_alone_whatever_it_is_told, one_body_that_is_told_to_wait_stops_all_bodies,];

/// Whether this bucket pauses for about so long.
async fn is_paused(fleet: &Fleet<'_>, scope: &str, seconds: u64) -> bool {
    // A busy machine may take a while to come to this line.
    let (least, most) = (seconds.saturating_sub(50), seconds + 1);
    let pause = format!(
        "fleet_pause where scope = '{scope}' and reason like '%429%'
         and until between now() + interval '{least} seconds' and now() + interval '{most} seconds'"
    );
    fleet.database.count(&pause).await == 1
}

fn a_list_that_is_told_to_wait_waits_alone_whatever_it_is_told(on: On) {
    fleet(on, World::of(6, 40), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let date = "Fri, 20 Nov 2026 12:00:00 GMT";
        let told = [
            (json!({ "Retry-After": "412" }), 412),
            (json!({ "Retry-After": "Fri, 20 Nov 2026 12:01:30 GMT", "Date": date }), 90),
            (json!({ "Retry-After": "-5" }), 60),
            (json!({ "Retry-After": "31536000" }), 3600),
            // A limiter deep in ESI's servers: it names no bucket and no time.
            (json!({ "X-Ratelimit-Group": "" }), 60),
        ];
        let faults: Vec<Value> = pilots
            .iter()
            .zip(&told)
            .map(|(pilot, (headers, _))| {
                let answer = json!({ "kind": "answer", "status": 429, "headers": headers });
                json!({ "on": "list", "character_id": pilot.character_id, "do": answer })
            })
            .collect();
        fleet.simulator.fault(json!(faults)).await;
        // The second time the pauses are in force, and nobody asks.
        for _ in 0..2 {
            fleet.tick(&[]).await;
            fleet.drain().await;
            let calls = fleet.simulator.counters().await.list_calls_by_character;
            for (pilot, (headers, seconds)) in pilots.iter().zip(&told) {
                let character_id = pilot.character_id;
                assert_eq!(calls[&character_id], 1, "{headers}");
                assert!(is_paused(fleet, &format!("esi:char-killmail:{character_id}"), *seconds).await, "{headers}");
                let waiting = format!(
                    "character where character_id = {character_id} and last_verdict = 'retry' and attempt = 0
                     and last_reason is not null and last_synced_at is null and next_sync_at > now()"
                );
                assert_eq!(fleet.database.count(&waiting).await, 1, "waiting costs no attempt: {headers}");
            }
            assert_eq!(
                fleet.database.count("character where last_synced_at is not null").await,
                1,
                "the sixth is served"
            );
            fleet.make_due().await;
        }
        fleet.simulator.heal().await;
        fleet.pauses_are_over().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

fn one_body_that_is_told_to_wait_stops_all_bodies(on: On) {
    fleet(on, World::of(4, 20), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        // All of them in one job, so that no other request is on its way when the answer comes.
        fleet.forget_bodies().await;
        let spent = json!({ "kind": "answer", "status": 429, "headers": { "Retry-After": "300" } });
        fleet.simulator.fault(json!([{ "on": "detail", "times": 1, "do": spent }])).await;
        fleet.simulator.reset_counters().await;
        let wanted = fleet.tick(&[]).await.queued_detail_killmails;
        fleet.drain().await;
        assert!(is_paused(fleet, "esi:killmail", 300).await);
        let waiting =
            "killmail_ref where state = 'wanted' and due_at > now() and attempt = 0 and last_reason is not null";
        assert_eq!(fleet.database.count(waiting).await, wanted as i64, "waiting costs no attempt");

        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("detail"), 1, "nobody asks meanwhile");

        fleet.pauses_are_over().await;
        fleet.make_due().await;
        assert_eq!(fleet.tick(&[]).await.queued_detail_killmails, wanted);
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: 1, ..Exceptions::default() }).await;
    });
}
