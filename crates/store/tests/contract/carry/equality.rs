//! What is there afterwards.

use serde_json::json;
use store::carry::CarriedTable;

use super::arrange::{GRANTED_STREAM, OTHER_KEY, assert_all_is_there, carry, fill, with_keys};
use crate::harness::{Database, contract};

contract![file_and_fleet:
    an_empty_file_is_moved_like_any_other,
    everything_is_in_the_fleet_afterwards_with_its_ids_times_and_tokens,
    carried_again_nothing_changes,
    tokens_are_sealed_with_the_first_key_whichever_they_were_sealed_with,
    what_stands_otherwise_in_the_fleet_is_told_and_no_token_is_handed_over,
];

async fn an_empty_file_is_moved_like_any_other(file: Database, fleet: Database) {
    assert_eq!(file.store.moved().await.unwrap(), None);
    let carried = carry(&file, &fleet).await.unwrap();
    assert!(carried.tables.iter().all(|table| table.is_equal() && table.in_source == 0 && table.in_destination == 0));
    let moved = file.store.moved().await.unwrap().unwrap();
    assert_eq!(moved.destination, carried.destination);
    assert!(moved.finished_at.is_some() && moved.finished_at == carried.finished_at, "{moved:?}");
    assert_eq!(fleet.store.moved().await.unwrap(), None);
}

async fn everything_is_in_the_fleet_afterwards_with_its_ids_times_and_tokens(file: Database, fleet: Database) {
    fill(&file).await;
    let carried = carry(&file, &fleet).await.unwrap();
    assert_all_is_there(&file, &fleet).await;
    assert_eq!(carried.tables.len(), 12);
    for table in &carried.tables {
        assert!(table.is_equal() && table.differing_keys.is_empty(), "{table:?}");
        assert_eq!(table.in_source, table.in_destination, "{table:?}");
        assert_eq!(table.in_source, table.carried, "{table:?}");
    }
    assert_eq!(carried.refused_bodies, []);
    let (database, moved) = (fleet.value("select current_database()::text as name").await, file.store.moved().await);
    let moved = moved.unwrap().unwrap();
    assert_eq!(moved.destination.rsplit('/').next(), database.as_str());
    assert_eq!(moved.finished_at, carried.finished_at);
}

async fn carried_again_nothing_changes(file: Database, fleet: Database) {
    fill(&file).await;
    let first = carry(&file, &fleet).await.unwrap();
    let before = (file.contents().await, fleet.contents().await);
    // Also not when the fleet goes its own way by now.
    fleet.run("delete from token_stream where token_stream_id = 2").await;
    let fleet_before = fleet.contents().await;
    let again = carry(&file, &fleet).await.unwrap();
    assert!(again.tables.is_empty() && again.finished_at == first.finished_at, "{again:?}");
    assert!(file.contents().await == before.0 && fleet.contents().await == fleet_before);
}

async fn tokens_are_sealed_with_the_first_key_whichever_they_were_sealed_with(file: Database, fleet: Database) {
    fill(&file).await;
    const OLD: &str = "contract:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let with_both = with_keys(&file, &format!("{OTHER_KEY},{OLD}"));
    assert!(carry(&with_both, &fleet).await.unwrap().finished_at.is_some());
    let with_new = with_keys(&fleet, OTHER_KEY);
    assert_all_is_there(&file, &with_new).await;
    let granted = domain::TokenStreamId::parse(GRANTED_STREAM).unwrap();
    with_new.assert_access_token(granted, Some("access-token")).await;
    assert!(fleet.store.access_token(&fleet.keyring, granted).await.is_err(), "the old key is not needed any more");
}

async fn what_stands_otherwise_in_the_fleet_is_told_and_no_token_is_handed_over(file: Database, fleet: Database) {
    fill(&file).await;
    // Of an attempt that was given up, after which the file has gone on.
    fleet
        .run(
            "insert into killmail (killmail_id, killmail_hash, killmail_time, solar_system_id, body)
             values (128, 'another', now(), 30000142, '{}')",
        )
        .await;
    file.run(
        r#"insert into killmail (killmail_id, killmail_hash, killmail_time, solar_system_id, body)
           values (128, 'one', now(), 30000142, '{"quantity": 1.00000000000000000001}')"#,
    )
    .await;
    let carried = carry(&file, &fleet).await.unwrap();
    let differing = |table: &&CarriedTable| !table.is_equal();
    let differing: Vec<_> = carried.tables.iter().filter(differing).collect();
    assert_eq!(differing.len(), 1, "{carried:?}");
    assert_eq!((differing[0].table, differing[0].differing), ("killmail", 1));
    assert_eq!(differing[0].differing_keys, ["128"]);
    assert_eq!(carried.finished_at, None);
    assert_eq!(file.store.moved().await.unwrap(), None, "the file is its owner's as before");
    assert_eq!(fleet.value("select count(*) as streams from token_stream").await, json!(0));
    // A digit is enough.
    fleet.run("delete from killmail where killmail_id = 128").await;
    assert!(carry(&file, &fleet).await.unwrap().finished_at.is_some());
    fleet.run(r#"update killmail set body = '{"quantity": 1.00000000000000000002}' where killmail_id = 128"#).await;
    file.store.take_back().await.unwrap();
    fleet.run("delete from token_stream").await;
    let carried = carry(&file, &fleet).await.unwrap();
    assert_eq!(carried.tables[0].differing_keys, ["128"]);
}
