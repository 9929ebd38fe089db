//! Storing a body is lossless, whole or not at all, and every participant has a row of its own.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::FailureClass;
use serde_json::{Value, json};

use crate::harness::arrange::{new_killmail, reference, references, small_body};
use crate::harness::real_killmails::{self, same};
use crate::harness::{Database, Found, contract};

contract![
    // jsonb has no place for the character U+0000; the file holds the text as it is.
    postgres:
    a_body_with_a_zero_character_is_refused,
    participants_are_found_by_index_in_a_server,
];
contract![
    sqlite:
    a_body_with_a_zero_character_is_stored_as_it_came,
    participants_are_found_by_index_in_a_file,
];
contract![
    every_real_body_is_read_back_equal,
    fields_that_nobody_knows_yet_are_kept,
    a_megabyte_with_four_thousand_attackers_has_four_thousand_rows,
    a_body_that_the_database_does_not_take_leaves_nothing_behind,
    a_body_that_is_there_already_is_not_replaced,
];

/// Looks at everything that is stored of a killmail and compares it with the text that was sent.
async fn assert_stored(database: &Database, id: i64, text: &str) {
    assert!(database.body_equals(id, text).await, "killmail {id} is not equal for the database");
    let body: Value = serde_json::from_str(text).unwrap();
    let row = database
        .row(format!("select body::text, solar_system_id, killmail_hash from killmail where killmail_id = {id}"))
        .await;
    let stored: Value = serde_json::from_str(row["body"].as_str().unwrap()).unwrap();
    assert!(same(&stored, &body), "killmail {id}: {stored}");
    assert_eq!(row["solar_system_id"], body["solar_system_id"]);
    let reference = database
        .row(format!(
            "select state, killmail_hash, attempt, hinted_at, lease_until from killmail_ref where killmail_id = {id}"
        ))
        .await;
    let expected = json!({ "state": "stored", "killmail_hash": row["killmail_hash"], "attempt": 0, "hinted_at": null,
                            "lease_until": null });
    assert_eq!(reference, expected);
    let time: DateTime<Utc> = body["killmail_time"].as_str().unwrap().parse().unwrap();
    assert_eq!(database.time(format!("select killmail_time from killmail where killmail_id = {id}")).await, time);

    let attackers = body["attackers"].as_array().unwrap();
    let participants =
        std::iter::once(("victim", &body["victim"])).chain(attackers.iter().map(|one| ("attacker", one)));
    let expected: Vec<Value> =
        (0..).zip(participants).map(|(index, (role, one))| participant(index, role, one)).collect();
    let rows = format!(
        "select participant_index, role, character_id, corporation_id, alliance_id, faction_id, ship_type_id
         from killmail_participant where killmail_id = {id} order by participant_index"
    );
    assert_eq!(expected.len(), attackers.len() + 1);
    assert_eq!(database.rows(rows).await, expected, "killmail {id}");
}

fn participant(index: u32, role: &str, one: &Value) -> Value {
    json!({ "participant_index": index, "role": role, "character_id": one["character_id"],
            "corporation_id": one["corporation_id"], "alliance_id": one["alliance_id"],
            "faction_id": one["faction_id"], "ship_type_id": one["ship_type_id"] })
}

async fn every_real_body_is_read_back_equal(database: Database) {
    let killmails = database.store_real_killmails().await;
    for killmail in &killmails {
        assert_stored(&database, killmail.id(), killmail.text()).await;
    }
    assert!((database.number("select count(*) from killmail").await - 26.0).abs() < 0.5);
}

async fn fields_that_nobody_knows_yet_are_kept(database: Database) {
    let killmails = real_killmails::all();
    let killmail = killmails.iter().find(|killmail| killmail.id() == 82_270_857).unwrap();
    database.wanted(&[killmail.reference()]).await;
    // At the top, in the victim, in every attacker and in every item; numbers that 64 bits do not hold exactly.
    let unknown = r#"{"not_known_yet":{"deep":[1,null,"é ☃ \"quoted\"",1.50,-0.1e-7,12345678901234567890.123456789]},"#;
    let text = killmail.text().replace('{', unknown).replace(",}", "}");
    assert!(text.matches("not_known_yet").count() > 60);
    database.store_text(killmail.id(), &text).await;
    assert_stored(&database, killmail.id(), &text).await;
    let deep = "select (body -> 'victim' -> 'items' -> 0 -> 'not_known_yet' -> 'deep' -> 5)::text from killmail";
    assert_eq!(database.value(deep).await, json!("12345678901234567890.123456789"));
}

async fn a_megabyte_with_four_thousand_attackers_has_four_thousand_rows(database: Database) {
    let killmails = real_killmails::all();
    let killmail = killmails.iter().find(|killmail| killmail.id() == 115_787_551).unwrap();
    let mut body = killmail.json();
    let attackers = body["attackers"].as_array().unwrap();
    assert_eq!(attackers.len(), 498);
    let mut many: Vec<Value> = attackers.iter().cycle().take(4000).cloned().collect();
    for attacker in &mut many {
        attacker["not_known_yet"] =
            json!("to make the body as long as the longest that we know, and half as long again");
    }
    body["attackers"] = Value::Array(many);
    let text = body.to_string();
    assert!(text.len() > 1024 * 1024, "{}", text.len());
    database.wanted(&[killmail.reference()]).await;
    let started = Instant::now();
    database.store_text(killmail.id(), &text).await;
    let took = started.elapsed();
    // A fraction of a second; a lane must not stand still for one body, however slow the machine is.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_stored(&database, killmail.id(), &text).await;
    let count = "select count(*) from killmail_participant where role = 'attacker'";
    assert!((database.number(count).await - 4000.0).abs() < 0.5);
}

async fn participants_are_found_by_index_in_a_server(database: Database) {
    assert_indexed(&database, "select indexdef as made_by from pg_indexes where tablename = 'killmail_participant'")
        .await;
}

async fn participants_are_found_by_index_in_a_file(database: Database) {
    let indexes = "select sql as made_by from sqlite_schema where type = 'index' and tbl_name = 'killmail_participant'";
    assert_indexed(&database, indexes).await;
}

/// A killboard asks for the killmails of a character, a corporation or an alliance, and there are millions of rows.
async fn assert_indexed(database: &Database, indexes: &str) {
    let indexes = database.rows(indexes).await;
    for column in ["character_id", "corporation_id", "alliance_id"] {
        let columns = format!("({column}, killmail_id)");
        let serves = |index: &Found| index["made_by"].as_str().is_some_and(|made_by| made_by.contains(&columns));
        assert!(indexes.iter().any(serves), "no index on {columns}: {indexes:?}");
    }
}

async fn a_body_that_the_database_does_not_take_leaves_nothing_behind(database: Database) {
    database.wanted(&references([1])).await;
    let claim = database.detail(1).await;
    let before = database.contents().await;
    let good = small_body(1);
    let bodies = [
        // Cut in the middle.
        good[..good.len() / 2].to_owned(),
        // Taken as a body, but not as participants.
        good.replace("\"ship_type_id\":588", "\"ship_type_id\":\"a shuttle\""),
        good.replace("90000099", "99999999999999999999"),
        good.replace("\"attackers\":[", "\"attackers\":7,\"others\":["),
        good.replace("\"attackers\":[", "\"attackers\":null,\"others\":["),
        good.replace("\"attackers\":[", "\"attackers\":{\"0\":{}},\"others\":["),
        good.replace("\"attackers\":[", "\"attackers\":[5,"),
        good.replace("\"victim\":", "\"victim\":[],\"other\":"),
    ];
    for body in bodies {
        assert_ne!(body, good);
        let error = database.store.store_body(&claim, new_killmail(&body)).await.expect_err(&body);
        assert_eq!(error.class(), FailureClass::Ours, "{}", error.failure());
        assert_eq!(database.contents().await, before, "{body}");
    }
    // The claim still stands: a good body can be stored under it.
    assert!(database.store.store_body(&claim, new_killmail(&good)).await.unwrap());
    assert_stored(&database, 1, &good).await;
}

fn with_a_zero_character() -> String {
    let good = small_body(1);
    let odd = good.replace("\"victim\"", r#""name":"a\u0000b","victim""#);
    assert_ne!(odd, good);
    odd
}

async fn a_body_with_a_zero_character_is_refused(database: Database) {
    database.wanted(&references([1])).await;
    let claim = database.detail(1).await;
    let before = database.contents().await;
    let error = database.store.store_body(&claim, new_killmail(&with_a_zero_character())).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Ours, "{}", error.failure());
    assert_eq!(database.contents().await, before);
}

async fn a_body_with_a_zero_character_is_stored_as_it_came(database: Database) {
    database.wanted(&references([1])).await;
    database.store_text(1, &with_a_zero_character()).await;
    assert_stored(&database, 1, &with_a_zero_character()).await;
}

async fn a_body_that_is_there_already_is_not_replaced(database: Database) {
    database.wanted(&references([1])).await;
    let first = small_body(1);
    database.store_text(1, &first).await;
    // Somebody has asked for it once more, by hand.
    database.run("update killmail_ref set state = 'wanted', hinted_at = now()").await;
    database.store_text(1, &first.replace("90000099", "90000098")).await;
    assert_stored(&database, 1, &first).await;
    let hash = database.value("select killmail_hash from killmail").await;
    assert_eq!(hash.as_str(), Some(reference(1).killmail_hash.as_str()));
}
