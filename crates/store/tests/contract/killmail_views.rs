//! The views on bodies give exactly what the bodies hold: every victim, attacker and item, nested ones too.

use serde_json::{Value, json};

use crate::harness::{Database, contract};

contract![
    one_victim_for_each_killmail,
    every_attacker_in_the_order_of_the_body,
    every_item_with_its_container,
    every_row_tells_when_it_happened,
];

/// The named fields of an object, null where it has none, and what stands beside them.
fn fields(object: &Value, names: &[&str], beside: Value) -> Value {
    let mut row = beside;
    for name in names {
        row[*name] = object[*name].clone();
    }
    row
}

const VICTIM: [&str; 6] =
    ["character_id", "corporation_id", "alliance_id", "faction_id", "ship_type_id", "damage_taken"];
const ATTACKER: [&str; 9] = [
    "character_id",
    "corporation_id",
    "alliance_id",
    "faction_id",
    "ship_type_id",
    "weapon_type_id",
    "damage_done",
    "final_blow",
    "security_status",
];
const ITEM: [&str; 5] = ["item_type_id", "flag", "singleton", "quantity_destroyed", "quantity_dropped"];

async fn one_victim_for_each_killmail(database: Database) {
    for killmail in database.store_real_killmails().await {
        let (id, body) = (killmail.id(), killmail.json());
        let position = &body["victim"]["position"];
        let beside = json!({ "solar_system_id": body["solar_system_id"], "position_x": position["x"],
                             "position_y": position["y"], "position_z": position["z"] });
        let columns = VICTIM.join(", ");
        let look = format!(
            "select solar_system_id, position_x, position_y, position_z, {columns}
             from killmail_victim where killmail_id = {id}"
        );
        assert_eq!(database.row(look).await, fields(&body["victim"], &VICTIM, beside), "killmail {id}");
    }
}

async fn every_attacker_in_the_order_of_the_body(database: Database) {
    let mut all = 0;
    for killmail in database.store_real_killmails().await {
        let (id, body) = (killmail.id(), killmail.json());
        let attackers = (1..).zip(body["attackers"].as_array().unwrap());
        let expected: Vec<Value> =
            attackers.map(|(index, one)| fields(one, &ATTACKER, json!({ "attacker_index": index }))).collect();
        let columns = ATTACKER.join(", ");
        let look =
            format!("select attacker_index, {columns} from killmail_attacker where killmail_id = {id} order by 1");
        assert_eq!(database.rows(look).await, expected, "killmail {id}");
        all += expected.len();
    }
    let count = database.number("select count(*) from killmail_attacker").await;
    assert!((count - all as f64).abs() < 0.5);
}

/// All items at whatever depth, counted in the body itself.
fn count_items(holder: &Value) -> usize {
    holder["items"].as_array().map_or(0, |items| items.iter().map(|item| 1 + count_items(item)).sum())
}

async fn every_item_with_its_container(database: Database) {
    let (mut all, mut nested) = (0, 0);
    for killmail in database.store_real_killmails().await {
        let (id, body) = (killmail.id(), killmail.json());
        let mut expected = Vec::new();
        for (index, item) in (1..).zip(body["victim"]["items"].as_array().into_iter().flatten()) {
            let outside = json!({ "item_index": index, "container_item_index": null, "container_item_type_id": null });
            expected.push(fields(item, &ITEM, outside));
            for (inner_index, inner) in (1..).zip(item["items"].as_array().into_iter().flatten()) {
                let inside = json!({ "item_index": inner_index, "container_item_index": index,
                                     "container_item_type_id": item["item_type_id"] });
                expected.push(fields(inner, &ITEM, inside));
                nested += 1;
            }
        }
        assert_eq!(expected.len(), count_items(&body["victim"]), "killmail {id} has items deeper than we look");
        let columns = ITEM.join(", ");
        let look = format!(
            "select item_index, container_item_index, container_item_type_id, {columns} from killmail_item
             where killmail_id = {id}
             order by coalesce(container_item_index, item_index), container_item_index nulls first, item_index"
        );
        assert_eq!(database.rows(look).await, expected, "killmail {id}");
        all += expected.len();
    }
    assert_eq!(nested, 41, "the fixtures have two killmails with containers");
    let count = database.number("select count(*) from killmail_item").await;
    assert!((count - all as f64).abs() < 0.5);
}

async fn every_row_tells_when_it_happened(database: Database) {
    database.store_real_killmails().await;
    for view in ["killmail_victim", "killmail_attacker", "killmail_item"] {
        let wrong = format!(
            "select count(*) from {view} v join killmail k using (killmail_id)
             where v.killmail_time is distinct from k.killmail_time"
        );
        assert!(database.number(wrong).await < 0.5, "{view}");
    }
}
