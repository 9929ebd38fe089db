//! Bodies that the file holds and PostgreSQL does not take.

use serde_json::json;
use store::carry::RefusedBody;

use super::arrange::{carry, fill};
use crate::harness::arrange::{new_killmail, references, small_body};
use crate::harness::{Database, contract};

contract![file_and_fleet:bodies_that_are_not_taken_are_parked_and_keep_nothing_else_back];

const ODD: [(i64, &str); 4] = [
    (500, r#""name":"nul \u0000 in it""#),
    (501, r#""name":"half \ud800 of a pair""#),
    (503, r#""number":1e999999"#),
    (511, r#""name":"\u0000""#),
];

async fn bodies_that_are_not_taken_are_parked_and_keep_nothing_else_back(file: Database, fleet: Database) {
    fill(&file).await;
    let lister = file.character(89_000_000).await;
    let mut claim = file.list(lister).await;
    let page = references(500..512);
    let listed = crate::harness::arrange::listed(&page, 1, 1);
    file.store.save_page(&mut claim, listed, 0.5).await.unwrap().unwrap();
    for id in 500..512 {
        let mut body = small_body(id);
        if let Some((_, odd)) = ODD.iter().find(|(odd, _)| *odd == id) {
            body.insert_str(1, &format!("{odd},"));
        }
        let claim = file.detail(id).await;
        assert!(file.store.store_body(&claim, new_killmail(&body)).await.unwrap(), "{body}");
    }
    let carried = carry(&file, &fleet).await.unwrap();
    assert!(carried.finished_at.is_some(), "{carried:?}");
    assert!(carried.tables.iter().all(store::carry::CarriedTable::is_equal), "{carried:?}");
    let refused: Vec<i64> = carried.refused_bodies.iter().map(|refused| refused.killmail_id).collect();
    assert_eq!(refused, ODD.map(|(id, _)| id));
    for RefusedBody { killmail_id, reason } in &carried.refused_bodies {
        assert!(reason.starts_with("storing a killmail failed: "), "{reason}");
        let look =
            |columns: &str, table: &str| format!("select {columns} from {table} where killmail_id = {killmail_id}");
        let reference = fleet.row(look("state, last_reason", "killmail_ref")).await;
        assert_eq!(reference, json!({ "state": "parked", "last_reason": reason }));
        assert!(fleet.rows(look("*", "killmail")).await.is_empty());
        assert!(fleet.rows(look("*", "killmail_participant")).await.is_empty());
    }
    let stored = "select count(*) as stored from killmail where killmail_id between 500 and 511";
    assert_eq!(fleet.value(stored).await, json!(8));
    let participants = "select count(*) as stored from killmail_participant where killmail_id between 500 and 511";
    assert_eq!(fleet.value(participants).await, json!(16));
}
