//! A carriage that is cut off, wherever it is.

use super::arrange::{GRANTED_STREAM, assert_all_is_there, carry, carry_batches, fill_a_little};
use crate::harness::{Database, contract};

contract![file_and_fleet:it_goes_on_wherever_it_was_cut_off, it_does_not_overwrite_what_the_fleet_has_changed,];

/// In an order in which the rows may go.
const TABLES: [&str; 10] = [
    "token_stream",
    "sync_run",
    "corporation_killmail",
    "corporation",
    "character_killmail",
    "character",
    "killmail_participant",
    "killmail",
    "killmail_ref",
    "fleet_pause",
];

async fn it_goes_on_wherever_it_was_cut_off(file: Database, fleet: Database) {
    fill_a_little(&file).await;
    for batches in 1.. {
        let is_done = carry_batches(&file, &fleet, batches).await;
        let has_streams = fleet.holds("select exists (select 1 from token_stream) as there").await;
        let is_marked = file.store.moved().await.unwrap().is_some();
        assert!(is_marked || !has_streams, "after {batches} batches a token is in both, and nothing tells of it");
        let carried = carry(&file, &fleet).await.unwrap();
        assert!(carried.finished_at.is_some(), "after {batches} batches: {carried:?}");
        assert_all_is_there(&file, &fleet).await;
        if is_done {
            assert!(batches > 30, "only {batches} batches");
            return;
        }
        file.store.take_back().await.unwrap().unwrap();
        for table in TABLES {
            fleet.run(format!("delete from {table}")).await;
        }
    }
}

async fn it_does_not_overwrite_what_the_fleet_has_changed(file: Database, fleet: Database) {
    fill_a_little(&file).await;
    // Cut off among the token streams.
    let mut batches = 1;
    while !fleet.holds("select exists (select 1 from token_stream) as there").await {
        assert!(!carry_batches(&file, &fleet, batches).await);
        batches += 1;
    }
    let granted = domain::TokenStreamId::parse(GRANTED_STREAM).unwrap();
    let mut claim = fleet.refresh(granted).await;
    let rotated = crate::harness::arrange::secret("rotated-by-the-fleet");
    assert!(fleet.store.save_rotated(&fleet.keyring, &mut claim, &rotated).await.unwrap());
    assert!(fleet.grant(&claim, "access-of-the-fleet", 1199).await.is_some());
    fleet.run("update character set next_sync_at = now() + interval '1 hour'").await;
    let before = fleet.contents().await;
    let carried = carry(&file, &fleet).await.unwrap();
    let after = fleet.contents().await;
    assert!(before.iter().all(|(table, rows)| rows.iter().all(|row| after[table].contains(row))));
    assert!(before["token_stream"].len() < after["token_stream"].len(), "the others have followed");
    let differing: Vec<_> =
        carried.tables.iter().filter(|table| !table.is_equal()).map(|table| (table.table, table.differing)).collect();
    assert_eq!(differing, [("character", 3), ("token_stream", 1)]);
    assert_eq!(carried.finished_at, None);
    let moved = file.store.moved().await.unwrap().unwrap();
    assert_eq!(moved.finished_at, None, "but the tokens are the fleet's");
}
