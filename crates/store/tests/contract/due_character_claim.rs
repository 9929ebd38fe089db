//! The claim that puts at most one hint per character into the broker.

use store::due::DueFilter;

use crate::harness::arrange::{character, sorted};
use crate::harness::{Database, at_once, contract};

contract![
    twenty_claims_at_once_hand_out_each_character_exactly_once,
    a_mark_that_is_taken_back_is_free_at_once_and_the_others_stand,
    a_mark_is_stale_after_five_minutes,
    a_mark_under_a_lease_is_not_taken_back,
    what_was_done_between_the_look_and_the_claim_is_not_claimed,
    a_full_claim_sends_the_walk_back_to_page_one_and_a_plain_one_leaves_it,
];

const PLAIN: DueFilter = DueFilter { force: false, full: false, character_id: None };

async fn twenty_claims_at_once_hand_out_each_character_exactly_once(database: Database) {
    let characters = database.characters(1..=200).await;
    // Every claim names them in an order of its own.
    let orders = (0..20).map(|number| {
        let mut characters = characters.clone();
        characters.rotate_left(number * 7);
        characters
    });
    let claimed = at_once(&database, orders, |database, characters| async move {
        database.store.claim_due_characters(PLAIN, &characters).await.unwrap()
    })
    .await;
    assert_eq!(sorted(claimed.into_iter().flatten()), (1..=200).collect::<Vec<_>>());
    assert!(database.store.claim_due_characters(PLAIN, &characters).await.unwrap().is_empty());
    assert!(database.store.due_characters(PLAIN, None, 500).await.unwrap().characters.is_empty());
}

async fn a_mark_that_is_taken_back_is_free_at_once_and_the_others_stand(database: Database) {
    let characters = database.characters([1, 2, 3]).await;
    assert_eq!(database.store.claim_due_characters(PLAIN, &characters).await.unwrap().len(), 3);
    database.store.unmark_characters(&[character(2)]).await.unwrap();
    assert_eq!(database.store.claim_due_characters(PLAIN, &characters).await.unwrap(), [character(2)]);
}

async fn a_mark_is_stale_after_five_minutes(database: Database) {
    let characters = database.characters([1, 2]).await;
    assert_eq!(database.store.claim_due_characters(PLAIN, &characters).await.unwrap().len(), 2);
    let backwards = "update character set hinted_at = now() - interval";
    database.run(format!("{backwards} '301 seconds' where character_id = 1")).await;
    database.run(format!("{backwards} '290 seconds' where character_id = 2")).await;
    assert_eq!(database.store.claim_due_characters(PLAIN, &characters).await.unwrap(), [character(1)]);
    assert!(database.store.claim_due_characters(PLAIN, &characters).await.unwrap().is_empty());
}

async fn a_mark_under_a_lease_is_not_taken_back(database: Database) {
    let characters = database.characters([1]).await;
    database.store.claim_due_characters(PLAIN, &characters).await.unwrap();
    let claim = database.list(characters[0]).await;
    let before = database.contents().await;
    // The confirm came late, the message did arrive: a worker is at it.
    database.store.unmark_characters(&characters).await.unwrap();
    assert_eq!(database.contents().await, before);
    assert!(database.store.finish_walk(&claim, false, std::time::Duration::ZERO, 0.5).await.unwrap());
}

async fn what_was_done_between_the_look_and_the_claim_is_not_claimed(database: Database) {
    let characters = database.characters([1, 2]).await;
    assert_eq!(database.store.due_characters(PLAIN, None, 10).await.unwrap().characters.len(), 2);
    let claim = database.list(character(1)).await;
    assert!(database.store.finish_walk(&claim, false, std::time::Duration::ZERO, 0.5).await.unwrap());
    assert_eq!(database.store.claim_due_characters(PLAIN, &characters).await.unwrap(), [character(2)]);
}

async fn a_full_claim_sends_the_walk_back_to_page_one_and_a_plain_one_leaves_it(database: Database) {
    let characters = database.characters([1, 2, 3]).await;
    database.run("update character set resume_page = 7 where character_id = 1").await;
    database.run("update character set resume_page = null where character_id > 1").await;
    database.store.claim_due_characters(PLAIN, &[character(3)]).await.unwrap();
    let full = DueFilter { full: true, ..PLAIN };
    assert_eq!(database.store.claim_due_characters(full, &characters).await.unwrap().len(), 2);
    let pages = database.rows("select resume_page from character order by character_id").await;
    let pages: Vec<Option<i64>> = pages.iter().map(|row| row["resume_page"].as_i64()).collect();
    assert_eq!(pages, [Some(1), Some(1), None]);
}
