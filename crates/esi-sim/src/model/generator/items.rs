//! What a victim carried.
//!
//! The rule, seen in every real killmail that was looked at: an item is either destroyed or dropped, never both in one
//! row, and what lies in a container is one level deep.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::catalogue::{CARGO, CONTAINERS, FLAGS, ITEMS};

/// None for one victim in five, else up to 24; one hold in eight has a container with further items in it.
pub(super) fn items(chance: &mut StdRng) -> Vec<Value> {
    if chance.random_bool(0.2) {
        return Vec::new();
    }
    let count = chance.random_range(1..=24);
    let mut items: Vec<Value> = (0..count)
        .map(|_| {
            let flag = *FLAGS.choose(chance).expect("the list is a constant and not empty");
            let item_type_id = *ITEMS.choose(chance).expect("the list is a constant and not empty");
            item(chance, item_type_id, flag)
        })
        .collect();
    if chance.random_bool(0.125) {
        let container_type_id = *CONTAINERS.choose(chance).expect("the list is a constant and not empty");
        let mut container = item(chance, container_type_id, CARGO);
        let contents: Vec<Value> = (0..chance.random_range(1..=6))
            .map(|_| {
                let item_type_id = *ITEMS.choose(chance).expect("the list is a constant and not empty");
                item(chance, item_type_id, CARGO)
            })
            .collect();
        container["items"] = Value::Array(contents);
        items.push(container);
    }
    items
}

fn item(chance: &mut StdRng, item_type_id: i64, flag: i64) -> Value {
    let quantity: i64 = if chance.random_bool(0.7) { 1 } else { chance.random_range(2..=5_000) };
    // 2 marks a copy of a blueprint; it is rare.
    let singleton = if chance.random_bool(0.02) { 2 } else { 0 };
    let fate = if chance.random_bool(0.5) { "quantity_destroyed" } else { "quantity_dropped" };
    let mut item = json!({ "flag": flag, "item_type_id": item_type_id, "singleton": singleton });
    item[fate] = json!(quantity);
    item
}
