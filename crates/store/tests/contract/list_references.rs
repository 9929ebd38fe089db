//! What a page of a list leaves behind: references, whose list has shown them, and which bodies are asked for.

use std::ops::Range;

use domain::{KillmailHash, KillmailRef};

use crate::harness::arrange::{listed, reference, references, sorted};
use crate::harness::{Database, at_once, contract};

contract![
    what_is_unseen_is_judged_character_by_character_and_shared_killmails_are_asked_for_once,
    a_page_that_is_saved_twice_brings_nothing_the_second_time,
    a_killmail_that_stands_twice_on_a_page_counts_once,
    only_bodies_that_nobody_has_fetched_or_fetches_are_asked_for,
    a_stored_killmail_does_not_change_with_another_hash,
    lists_that_share_a_thousand_killmails_in_different_orders_ask_for_each_once,
];

async fn what_is_unseen_is_judged_character_by_character_and_shared_killmails_are_asked_for_once(database: Database) {
    let pilots = database.characters([1, 2]).await;
    let (mut one, mut two) = (database.list(pilots[0]).await, database.list(pilots[1]).await);
    let (first, second) = (references([10, 11, 12]), references([11, 12, 13]));
    let saved = database.store.save_page(&mut one, listed(&first, 1, 2), 0.5).await.unwrap().unwrap();
    assert_eq!((saved.unseen, sorted(saved.to_fetch)), (3, vec![10, 11, 12]));
    let saved = database.store.save_page(&mut two, listed(&second, 1, 2), 0.5).await.unwrap().unwrap();
    assert_eq!((saved.unseen, sorted(saved.to_fetch)), (3, vec![13]));
    assert_eq!(saved.next_page, Some(2), "another's list says nothing about the pages behind");
    let rows = database.rows("select character_id, killmail_id from character_killmail order by 1, 2").await;
    let rows: Vec<_> = rows.iter().map(|row| (row["character_id"].as_i64(), row["killmail_id"].as_i64())).collect();
    let expected = [(1, 10), (1, 11), (1, 12), (2, 11), (2, 12), (2, 13)];
    assert_eq!(rows, expected.map(|(pilot, killmail)| (Some(pilot), Some(killmail))));
    assert!((database.number("select count(*) from killmail_ref").await - 4.0).abs() < 0.5);
}

async fn a_page_that_is_saved_twice_brings_nothing_the_second_time(database: Database) {
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    let page = references([10, 11]);
    assert!(database.store.save_page(&mut claim, listed(&page, 1, 2), 0.5).await.unwrap().is_some());
    let saved = database.store.save_page(&mut claim, listed(&page, 2, 3), 0.5).await.unwrap().unwrap();
    assert_eq!((saved.unseen, saved.to_fetch.len(), saved.next_page), (0, 0, None));
}

async fn a_killmail_that_stands_twice_on_a_page_counts_once(database: Database) {
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    let page = references([12, 10, 11, 10, 12]);
    let saved = database.store.save_page(&mut claim, listed(&page, 1, 1), 0.5).await.unwrap().unwrap();
    assert_eq!((saved.unseen, sorted(saved.to_fetch)), (3, vec![10, 11, 12]));
}

async fn only_bodies_that_nobody_has_fetched_or_fetches_are_asked_for(database: Database) {
    database.wanted(&references(10..=14)).await;
    database.stored(10).await;
    let in_work = database.detail(11).await;
    // The hint of 12 was lost, that of 13 is on its way, 14 is due again tomorrow; 11 has been in work for long.
    database
        .run("update killmail_ref set hinted_at = now() - interval '301 seconds' where killmail_id in (11, 12)")
        .await;
    database
        .run("update killmail_ref set hinted_at = null, due_at = now() + interval '1 day' where killmail_id = 14")
        .await;
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    let page = references(10..=15);
    let saved = database.store.save_page(&mut claim, listed(&page, 1, 1), 0.5).await.unwrap().unwrap();
    assert_eq!((saved.unseen, sorted(saved.to_fetch)), (6, vec![12, 15]));
    drop(in_work);
}

async fn a_stored_killmail_does_not_change_with_another_hash(database: Database) {
    database.wanted(&references([10])).await;
    database.stored(10).await;
    let before = database.row("select * from killmail_ref").await;
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    let other = [KillmailRef { killmail_hash: KillmailHash::parse("ab".repeat(20)).unwrap(), ..reference(10) }];
    let saved = database.store.save_page(&mut claim, listed(&other, 1, 1), 0.5).await.unwrap().unwrap();
    assert!(saved.to_fetch.is_empty());
    assert_eq!(database.row("select * from killmail_ref").await, before);
}

/// Lists of eight pilots that all show the same killmails, each in an order of its own, saved at once; gives what they
/// ask for.
async fn save_shared_pages_at_once(database: &Database, pilots: Range<i64>, killmails: &[i64]) -> Vec<i64> {
    let mut lists = Vec::new();
    for (number, pilot) in database.characters(pilots).await.into_iter().enumerate() {
        let mut page = references(killmails.iter().copied());
        page.rotate_left(number * 111);
        if number % 2 == 1 {
            page.reverse();
        }
        lists.push((database.list(pilot).await, page));
    }
    let saved = at_once(database, lists, |database, (mut claim, page)| async move {
        database.store.save_page(&mut claim, listed(&page, 1, 1), 0.5).await.unwrap().unwrap()
    })
    .await;
    assert!(saved.iter().all(|page| page.unseen == 1000));
    sorted(saved.into_iter().flat_map(|page| page.to_fetch))
}

async fn lists_that_share_a_thousand_killmails_in_different_orders_ask_for_each_once(database: Database) {
    // Whether they get in each other's way depends on the moment: several rounds, each with killmails of its own.
    for round in 0..3 {
        let killmails: Vec<i64> = (round * 1000 + 1..=round * 1000 + 1000).collect();
        let pilots = round * 100 + 1..round * 100 + 9;
        assert_eq!(save_shared_pages_at_once(&database, pilots, &killmails).await, killmails);
    }
    let killmails: Vec<i64> = (1..=1000).collect();
    assert!(save_shared_pages_at_once(&database, 401..409, &killmails).await.is_empty(), "all hints are out");
    // The hints are lost.
    database.run("update killmail_ref set hinted_at = null").await;
    assert_eq!(save_shared_pages_at_once(&database, 501..509, &killmails).await, killmails);
}
