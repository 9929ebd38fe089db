//! Which characters a tick sees, and in which order.

use domain::CharacterId;
use store::due::{DueCursor, DueFilter};

use crate::harness::arrange::{character, sorted};
use crate::harness::{Database, contract};

contract![
    those_who_have_waited_longest_come_first,
    pages_meet_every_due_character_once,
    table_of_what_is_due,
    one_character_can_be_asked_for,
    each_comes_with_its_own_streams,
];

const PLAIN: DueFilter = DueFilter { force: false, full: false, character_id: None };
const FORCE: DueFilter = DueFilter { force: true, ..PLAIN };
const FULL: DueFilter = DueFilter { full: true, ..PLAIN };
const FORCE_FULL: DueFilter = DueFilter { force: true, full: true, ..PLAIN };

async fn page(database: &Database, after: Option<DueCursor>, limit: u32) -> (Vec<i64>, Option<DueCursor>) {
    let page = database.store.due_characters(PLAIN, after, limit).await.unwrap();
    (page.characters.iter().map(|due| due.character_id.get()).collect(), page.next)
}

async fn those_who_have_waited_longest_come_first(database: Database) {
    database.characters([1, 2, 3, 4]).await;
    database.run("update character set next_sync_at = now() - interval '1 hour' where character_id = 3").await;
    database.run("update character set next_sync_at = now() - interval '2 hours' where character_id = 4").await;
    assert_eq!(page(&database, None, 10).await.0, [4, 3, 1, 2], "ids settle what times do not");
}

async fn pages_meet_every_due_character_once(database: Database) {
    database.characters(1..=7).await;
    let (first, next) = page(&database, None, 3).await;
    let (second, next) = page(&database, next, 3).await;
    assert!(next.is_some());
    let (third, next) = page(&database, next, 3).await;
    assert_eq!([first, second, third], [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    assert!(next.is_none());
    // A last page that is full does not hide the end.
    let (first, next) = page(&database, None, 7).await;
    assert_eq!(first.len(), 7);
    let (rest, next) = page(&database, next, 7).await;
    assert!(rest.is_empty() && next.is_none());
}

/// What a row is like, and which of the ticks plain, forced, full, forced and full see it.
const CASES: [(&str, [bool; 4]); 14] = [
    ("next_sync_at = now() - interval '1 second'", [true; 4]),
    ("next_sync_at = now() + interval '1 minute'", [false, true, false, true]),
    ("list_expires_at = now() - interval '1 second'", [true; 4]),
    // ESI's Expires stands above everything.
    ("list_expires_at = now() + interval '1 minute'", [false; 4]),
    ("list_expires_at = now() + interval '1 minute', resume_page = null", [false; 4]),
    // The pages behind the first are not what expires: an unfinished walk goes on, but does not begin anew.
    ("list_expires_at = now() + interval '1 minute', resume_page = 2", [true, true, false, false]),
    ("next_sync_at = now() + interval '1 minute', resume_page = 2", [false, true, false, true]),
    ("hinted_at = now() - interval '4 minutes'", [false; 4]),
    ("hinted_at = now() - interval '301 seconds'", [true; 4]),
    ("lease_until = now() + interval '1 minute'", [false; 4]),
    ("lease_until = now() - interval '1 second'", [true; 4]),
    ("lease_until = now() + interval '1 minute', hinted_at = now() - interval '1 day'", [false; 4]),
    ("lease_until = now() - interval '1 second', hinted_at = now()", [false; 4]),
    ("resume_page = null, last_synced_at = now()", [true; 4]),
];

async fn table_of_what_is_due(database: Database) {
    for (id, (columns, _)) in (1..).zip(CASES) {
        database.character(id).await;
        database.run(format!("update character set {columns} where character_id = {id}")).await;
    }
    let before = database.contents().await;
    for (index, filter) in [PLAIN, FORCE, FULL, FORCE_FULL].into_iter().enumerate() {
        let expected: Vec<i64> = (1..).zip(CASES).filter(|(_, (_, due))| due[index]).map(|(id, _)| id).collect();
        let seen = database.store.due_characters(filter, None, 100).await.unwrap();
        assert_eq!(sorted(seen.characters.iter().map(|due| due.character_id)), expected, "{filter:?}");
    }
    assert_eq!(database.contents().await, before, "looking changes nothing");
    // The claim asks the same questions.
    let everybody: Vec<CharacterId> = (1..).zip(CASES).map(|(id, _)| character(id)).collect();
    for (index, filter) in [PLAIN, FORCE, FULL, FORCE_FULL].into_iter().enumerate() {
        let expected: Vec<i64> = (1..).zip(CASES).filter(|(_, (_, due))| due[index]).map(|(id, _)| id).collect();
        let claimed = database.store.claim_due_characters(filter, &everybody).await.unwrap();
        assert_eq!(sorted(claimed), expected, "{filter:?}");
        for (id, (columns, _)) in (1..).zip(CASES) {
            let fresh = "hinted_at = null, resume_page = 1";
            database.run(format!("update character set {fresh} where character_id = {id}")).await;
            database.run(format!("update character set {columns} where character_id = {id}")).await;
        }
    }
}

async fn one_character_can_be_asked_for(database: Database) {
    database.characters([1, 2, 3]).await;
    database.run("update character set next_sync_at = now() + interval '1 hour' where character_id = 3").await;
    for (filter, id, expected) in [(PLAIN, 2, 1), (PLAIN, 3, 0), (FORCE, 3, 1), (FORCE, 4, 0)] {
        let filter = DueFilter { character_id: Some(character(id)), ..filter };
        let page = database.store.due_characters(filter, None, 10).await.unwrap();
        assert_eq!(page.characters.len(), expected, "{filter:?}");
        assert!(page.characters.iter().all(|due| due.character_id == character(id)));
    }
}

async fn each_comes_with_its_own_streams(database: Database) {
    let streams = [database.login(1, "one").await, database.login(1, "two").await, database.login(2, "one").await];
    database.character(3).await;
    let page = database.store.due_characters(PLAIN, None, 10).await.unwrap();
    let ids: std::collections::BTreeMap<i64, Vec<i64>> = page
        .characters
        .iter()
        .map(|due| (due.character_id.get(), sorted(due.streams.iter().map(|stream| stream.token_stream_id))))
        .collect();
    assert_eq!(ids[&1], sorted([streams[0], streams[1]]));
    assert_eq!(ids[&2], [streams[2].get()]);
    assert!(ids[&3].is_empty());
}
