//! Bodies of an odd form: each is stored as it came, and none of them makes a view fail for the others.

use serde_json::{Value, json};

use crate::harness::arrange::{new_killmail, references, small_body};
use crate::harness::{Database, Found, contract};

contract![members_of_another_type_read_as_null_and_fractions_are_rounded, items_of_another_form_are_no_items];

const VIEWS: [&str; 3] = ["killmail_victim", "killmail_attacker", "killmail_item"];

/// Stores bodies as killmails 1, 2, … and an ordinary one, with one item, behind them.
async fn store(database: &Database, bodies: &[String]) {
    let ordinary = with_items(r#"[{"item_type_id":34,"flag":5,"singleton":0,"quantity_dropped":7}]"#);
    database.wanted(&references(1..=i64::try_from(bodies.len()).unwrap() + 1)).await;
    for (id, body) in (1..).zip(bodies.iter().chain([&ordinary])) {
        let claim = database.detail(id).await;
        assert!(database.store.store_body(&claim, new_killmail(body)).await.unwrap(), "{body}");
        assert!(database.body_equals(id, body).await, "{body}");
    }
}

/// The smallest body with something else in one place.
fn with(place: &str, instead: &str) -> String {
    let body = small_body(1);
    assert_eq!(body.matches(place).count(), 1, "{place}");
    body.replace(place, instead)
}

fn with_items(items: &str) -> String {
    with(r#""damage_taken":5"#, &format!(r#""damage_taken":5,"items":{items}"#))
}

/// One column of all rows of a killmail in a view.
async fn column(database: &Database, view: &str, name: &str, id: usize) -> Vec<Found> {
    let rows = database.rows(format!("select {name} from {view} where killmail_id = {id}")).await;
    rows.iter().map(|row| row.column(name)).collect()
}

async fn members_of_another_type_read_as_null_and_fractions_are_rounded(database: Database) {
    let damage_taken =
        |value: &str| (VIEWS[0], "damage_taken", with(r#""damage_taken":5"#, &format!(r#""damage_taken":{value}"#)));
    let damage_done =
        |value: &str| (VIEWS[1], "damage_done", with(r#""damage_done":5"#, &format!(r#""damage_done":{value}"#)));
    let final_blow =
        |value: &str| (VIEWS[1], "final_blow", with(r#""final_blow":true"#, &format!(r#""final_blow":{value}"#)));
    let security = |value: &str| {
        (VIEWS[1], "security_status", with(r#""security_status":0.5"#, &format!(r#""security_status":{value}"#)))
    };
    let cases = [
        (damage_taken(r#""5""#), json!(null)),
        (damage_taken(r#""much""#), json!(null)),
        (damage_taken("1.5"), json!(2)),
        (damage_taken("1e30"), json!(null)),
        (damage_taken("-1e30"), json!(null)),
        (damage_taken("null"), json!(null)),
        (damage_taken("[5]"), json!(null)),
        (damage_taken(r#"{"points":5}"#), json!(null)),
        (damage_taken("9000000000000000"), json!(9_000_000_000_000_000_i64)),
        (damage_done(r#""much""#), json!(null)),
        (damage_done("1.4"), json!(1)),
        (damage_done("1e30"), json!(null)),
        (final_blow(r#""true""#), json!(null)),
        (final_blow("1"), json!(null)),
        (final_blow("false"), json!(false)),
        (security("1e-400"), json!(null)),
        (security("-0.0"), json!(0)),
        (security(r#""-10""#), json!(null)),
        (security("1e400"), json!(null)),
        (security("-5"), json!(-5)),
        ((VIEWS[0], "position_x", with(r#""damage_taken":5"#, r#""position":{"x":"left"}"#)), json!(null)),
        ((VIEWS[0], "position_y", with(r#""damage_taken":5"#, r#""position":[1,2,3]"#)), json!(null)),
        ((VIEWS[1], "weapon_type_id", with(r#""damage_done":5"#, r#""weapon_type_id":"a gun""#)), json!(null)),
    ];
    let bodies: Vec<String> = cases.iter().map(|((.., body), _)| body.clone()).collect();
    store(&database, &bodies).await;
    for (id, ((view, name, body), expected)) in (1..).zip(&cases) {
        assert_eq!(column(&database, view, name, id).await, std::slice::from_ref(expected), "{name} of {body}");
    }
    // The others can be read as ever.
    let last = cases.len() + 1;
    for (view, name, expected) in [
        (VIEWS[0], "damage_taken", json!(5)),
        (VIEWS[1], "damage_done", json!(5)),
        (VIEWS[1], "final_blow", json!(true)),
        (VIEWS[1], "security_status", json!(0.5)),
        (VIEWS[2], "quantity_dropped", json!(7)),
    ] {
        assert_eq!(column(&database, view, name, last).await, [expected], "{name}");
    }
    for view in VIEWS {
        database.rows(format!("select * from {view}")).await;
    }
}

async fn items_of_another_form_are_no_items(database: Database) {
    // What stands as items, and the type of each row with that of its container.
    let cases = [
        ("null", json!([])),
        ("{}", json!([])),
        (r#"{"item_type_id":34}"#, json!([])),
        (r#""many""#, json!([])),
        ("7", json!([])),
        ("[]", json!([])),
        (r#"[{"item_type_id":34,"items":null}]"#, json!([[null, 34]])),
        (r#"[{"item_type_id":34,"items":{"item_type_id":35}}]"#, json!([[null, 34]])),
        (r#"[{"item_type_id":34,"items":"none"},{"item_type_id":36}]"#, json!([[null, 34], [null, 36]])),
        (r#"[{"item_type_id":33,"items":[{"item_type_id":"35","flag":1.5}]}]"#, json!([[null, 33], [33, null]])),
        (r#"[{"item_type_id":"33","items":[{"item_type_id":35}]}]"#, json!([[null, null], [null, 35]])),
        // A row for each, whatever it is: nobody is to wonder where the third item has gone.
        (r#"[null,5,"x",[]]"#, json!([[null, null], [null, null], [null, null], [null, null]])),
    ];
    let bodies: Vec<String> = cases.iter().map(|(items, _)| with_items(items)).collect();
    store(&database, &bodies).await;
    for (id, (items, expected)) in (1..).zip(&cases) {
        let rows = database
            .rows(format!(
                "select container_item_type_id, item_type_id from killmail_item
                 where killmail_id = {id} order by container_item_index nulls first, item_index"
            ))
            .await;
        let types = rows.iter().map(|row| json!([row["container_item_type_id"], row["item_type_id"]]));
        assert_eq!(Value::from_iter(types), *expected, "{items}");
    }
    assert_eq!(column(&database, VIEWS[2], "item_type_id", cases.len() + 1).await, [json!(34)]);
}
