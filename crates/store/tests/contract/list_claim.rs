//! Who may work on a list, and that whoever lost it writes nothing.

use std::time::Duration;

use domain::{Counted, Verdict};
use store::due::DueFilter;

use crate::harness::arrange::{character, claimant, killmail, listed, other_claimant, references};
use crate::harness::{Database, at_once, contract};

contract![
    table_of_what_can_be_claimed,
    a_claim_holds_for_five_minutes_and_every_page_renews_it,
    twenty_claims_at_once_give_the_list_to_one,
    another_messages_redelivery_takes_nothing_over,
    whoever_was_taken_over_from_writes_nothing,
    a_lease_that_ran_out_is_lost_only_to_somebody_else,
];

/// What a row is like, and whether it can be claimed: plainly, and by one who takes over.
const CASES: [(&str, [bool; 2]); 11] = [
    ("next_sync_at = now() - interval '1 second'", [true; 2]),
    ("next_sync_at = now() + interval '1 minute'", [false; 2]),
    ("next_sync_at = now() + interval '1 minute', hinted_at = now()", [true; 2]),
    ("next_sync_at = now() + interval '1 minute', hinted_at = now() - interval '1 day'", [true; 2]),
    (
        "lease_until = now() + interval '1 minute', lease_job_id = '00000000-0000-0000-0000-000000000001'::uuid",
        [false, true],
    ),
    ("lease_until = now() - interval '1 second'", [true; 2]),
    ("lease_until = now() + interval '1 minute', next_sync_at = now() + interval '1 minute'", [false; 2]),
    ("list_expires_at = now() + interval '1 minute', hinted_at = now()", [false; 2]),
    ("list_expires_at = now() + interval '1 minute', hinted_at = now(), resume_page = null", [false; 2]),
    ("list_expires_at = now() + interval '1 minute', hinted_at = now(), resume_page = 2", [true; 2]),
    ("list_expires_at = now() - interval '1 second'", [true; 2]),
];

async fn table_of_what_can_be_claimed(database: Database) {
    for (index, take_over) in [false, true].into_iter().enumerate() {
        for (case, (columns, expected)) in (1..).zip(CASES) {
            let pilot = database.character(case + 100 * i64::from(take_over)).await;
            database.run(format!("update character set {columns} where character_id = {pilot}")).await;
            let before = database.contents().await;
            let claim = database.store.claim_list(pilot, claimant(take_over)).await.unwrap();
            assert_eq!(claim.is_some(), expected[index], "{columns}, take over: {take_over}");
            assert!(claim.is_some() || database.contents().await == before, "{columns}");
        }
    }
    assert!(database.store.claim_list(character(999), claimant(true)).await.unwrap().is_none(), "nobody of that id");
}

async fn a_claim_holds_for_five_minutes_and_every_page_renews_it(database: Database) {
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    assert_eq!((claim.attempt, claim.resume_page, claim.etag.as_deref()), (1, Some(1), None));
    let left = "select extract(epoch from lease_until - now()) from character";
    assert!((290.0..=300.0).contains(&database.number(left).await));
    database.run("update character set lease_until = now() + interval '5 seconds'").await;
    let page = references([1]);
    assert!(database.store.save_page(&mut claim, listed(&page, 1, 2), 0.5).await.unwrap().is_some());
    assert!((290.0..=300.0).contains(&database.number(left).await));
    assert!(database.store.claim_list(pilot, claimant(false)).await.unwrap().is_none());
}

async fn twenty_claims_at_once_give_the_list_to_one(database: Database) {
    let pilot = database.character(1).await;
    let claims = at_once(&database, [pilot; 20], |database, pilot| async move {
        database.store.claim_list(pilot, claimant(false)).await.unwrap()
    })
    .await;
    assert_eq!(claims.iter().flatten().count(), 1);
}

/// Of two messages about one row, the one that comes again says nothing about the holder of the other.
async fn another_messages_redelivery_takes_nothing_over(database: Database) {
    let pilot = database.character(1).await;
    database.list(pilot).await;
    assert!(database.store.claim_list(pilot, other_claimant()).await.unwrap().is_none());
    database.wanted(&references([1])).await;
    database.detail(1).await;
    assert!(database.store.claim_details(&[killmail(1)], other_claimant()).await.unwrap().is_empty());

    database.run("update character set lease_until = now()").await;
    database.run("update killmail_ref set lease_until = now()").await;
    assert!(database.store.claim_list(pilot, other_claimant()).await.unwrap().is_some());
    assert_eq!(database.store.claim_details(&[killmail(1)], other_claimant()).await.unwrap().len(), 1);
}

async fn whoever_was_taken_over_from_writes_nothing(database: Database) {
    let pilot = database.character(1).await;
    database.store.claim_due_characters(DueFilter::default(), &[pilot]).await.unwrap();
    let mut old = database.list(pilot).await;
    let page = references([1, 2]);
    assert!(database.store.save_page(&mut old, listed(&page, 1, 3), 0.5).await.unwrap().is_some());
    let mut taken_over = database.store.claim_list(pilot, claimant(true)).await.unwrap().expect("taken over");
    assert_eq!((taken_over.attempt, taken_over.resume_page), (2, Some(2)));

    let before = database.contents().await;
    let page = references([3, 4]);
    assert!(database.store.save_page(&mut old, listed(&page, 2, 3), 0.5).await.unwrap().is_none());
    assert!(database.store.save_page(&mut old, listed(&page, 3, 3), 0.5).await.unwrap().is_none());
    assert!(!database.store.finish_walk(&old, true, Duration::from_secs(300), 0.5).await.unwrap());
    let delay = Duration::from_secs(60);
    for verdict in [
        Verdict::Done,
        Verdict::skipped("no token"),
        Verdict::RetryAfter { delay, reason: "503".to_owned(), counted: Counted::Attempt },
    ] {
        assert!(!database.store.finish_list(&old, &verdict).await.unwrap());
    }
    assert!(!database.store.hand_over_list(&old).await.unwrap());
    assert_eq!(database.contents().await, before);

    // The new holder was not disturbed.
    let saved = database.store.save_page(&mut taken_over, listed(&page, 2, 2), 0.5).await.unwrap().unwrap();
    assert_eq!((saved.unseen, saved.next_page), (2, None));
}

async fn a_lease_that_ran_out_is_lost_only_to_somebody_else(database: Database) {
    let pilot = database.character(1).await;
    let mut slow = database.list(pilot).await;
    database.run("update character set lease_until = now() - interval '1 minute'").await;
    let page = references([1]);
    assert!(database.store.save_page(&mut slow, listed(&page, 1, 2), 0.5).await.unwrap().is_some());
    database.run("update character set lease_until = now() - interval '1 minute'").await;
    let mut next = database.list(pilot).await;
    assert!(database.store.save_page(&mut slow, listed(&page, 2, 2), 0.5).await.unwrap().is_none());
    assert!(database.store.save_page(&mut next, listed(&page, 2, 2), 0.5).await.unwrap().is_some());
}
