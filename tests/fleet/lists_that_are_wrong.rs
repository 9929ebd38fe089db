//! Lists that are not what the specification says: trouble that passes, tried again later, nothing half stored.

use serde_json::{Value, json};

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![
    a_wrong_list_leaves_the_row_due_later_with_its_reason,
    a_list_with_members_that_nobody_knows_is_read_all_the_same,
];

fn a_wrong_list_leaves_the_row_due_later_with_its_reason(on: On) {
    fleet(on, World::of(2, 12), async |fleet: &Fleet| {
        let (character_id, _) = fleet.busiest().await;
        let wrong: [Value; 6] = [
            json!({ "kind": "html" }),
            json!({ "kind": "truncate" }),
            json!({ "kind": "wrong_types" }),
            json!({ "kind": "answer", "status": 500, "body": "{\"error\":\"internal\"}" }),
            json!({ "kind": "answer", "status": 503, "body": "<html>maintenance</html>" }),
            json!({ "kind": "reset" }),
        ];
        for (number, fault) in (1..).zip(&wrong) {
            fleet.simulator.fault(json!([{ "on": "list", "character_id": character_id, "do": fault }])).await;
            fleet
                .database
                .execute(&format!("update character set next_sync_at = now() where character_id = {character_id}"))
                .await;
            let tick = fleet.tick(&[]).await;
            assert_eq!(tick.queued_list, if number == 1 { 2 } else { 1 }, "{fault}");
            fleet.drain().await;
            let put_off = format!(
                "character where character_id = {character_id} and last_verdict = 'retry' and last_reason is not null
                 and attempt = {number} and next_sync_at > now() and hinted_at is null and lease_until is null
                 and last_synced_at is null"
            );
            assert_eq!(fleet.database.count(&put_off).await, 1, "{fault}");
            let listed = format!("character_killmail where character_id = {character_id}");
            assert_eq!(fleet.database.count(&listed).await, 0, "nothing half stored after {fault}");
        }
        fleet.simulator.heal().await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
        assert_eq!(fleet.tick(&[]).await, Tick::default());
    });
}

fn a_list_with_members_that_nobody_knows_is_read_all_the_same(on: On) {
    fleet(on, World::of(2, 12), async |fleet: &Fleet| {
        fleet.simulator.fault(json!([{ "on": "list", "do": { "kind": "unknown_fields" } }])).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}
