//! A claim that has come to its end finishes nothing again, however often and in whatever way it is tried.

use std::time::Duration;

use domain::{Counted, Verdict};

use crate::harness::arrange::{listed, new_killmail, references, small_body};
use crate::harness::{Database, contract};

contract![
    a_list_that_ended_with_a_verdict,
    a_list_that_was_seen_to_its_end,
    a_list_that_was_handed_over,
    a_killmail_that_ended_with_a_verdict,
    a_killmail_that_was_handed_over_or_put_off,
];

fn every_verdict() -> Vec<Verdict> {
    let why = || "why".to_owned();
    let retry = |counted| Verdict::RetryAfter { delay: Duration::from_secs(5), reason: why(), counted };
    vec![
        Verdict::Done,
        Verdict::skipped("why"),
        Verdict::HandBack { reason: why() },
        retry(Counted::Nothing),
        retry(Counted::Attempt),
        retry(Counted::Refusal),
        Verdict::Parked { reason: why() },
    ]
}

async fn assert_no_attempt_is_negative(database: &Database) {
    for table in ["character", "killmail_ref"] {
        assert!(database.rows(format!("select * from {table} where attempt < 0")).await.is_empty(), "{table}");
    }
}

async fn a_list_that_ended_with_a_verdict(database: Database) {
    let pilot = database.character(1).await;
    for end in every_verdict() {
        database.run("update character set hinted_at = now()").await;
        let mut claim = database.list(pilot).await;
        assert!(database.store.finish_list(&claim, &end).await.unwrap());
        let before = database.contents().await;
        for again in every_verdict() {
            assert!(!database.store.finish_list(&claim, &again).await.unwrap(), "{again:?} after {end:?}");
            assert!(!database.store.finish_list_before(&claim, &again, 3).await.unwrap(), "{again:?} after {end:?}");
        }
        assert!(!database.store.hand_over_list(&claim).await.unwrap());
        assert!(!database.store.finish_walk(&claim, true, Duration::ZERO, 0.5).await.unwrap());
        let page = references([1]);
        assert!(database.store.save_page(&mut claim, listed(&page, 1, 2), 0.5).await.unwrap().is_none());
        assert_eq!(database.contents().await, before, "after {end:?}");
    }
    assert_no_attempt_is_negative(&database).await;
}

async fn a_list_that_was_seen_to_its_end(database: Database) {
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    let page = references([1]);
    let saved = database.store.save_page(&mut claim, listed(&page, 1, 1), 0.5).await.unwrap().unwrap();
    assert_eq!(saved.next_page, None);
    let before = database.contents().await;
    for again in every_verdict() {
        assert!(!database.store.finish_list(&claim, &again).await.unwrap(), "{again:?}");
    }
    assert!(!database.store.hand_over_list(&claim).await.unwrap());
    assert!(!database.store.finish_walk(&claim, false, Duration::ZERO, 0.5).await.unwrap());
    assert_eq!(database.contents().await, before);
}

async fn a_list_that_was_handed_over(database: Database) {
    let pilot = database.character(1).await;
    let claim = database.list(pilot).await;
    assert!(database.store.hand_over_list(&claim).await.unwrap());
    let before = database.contents().await;
    for again in every_verdict() {
        assert!(!database.store.finish_list(&claim, &again).await.unwrap(), "{again:?}");
    }
    assert!(!database.store.hand_over_list(&claim).await.unwrap());
    assert_eq!(database.contents().await, before);
    assert_no_attempt_is_negative(&database).await;
    assert_eq!(database.list(pilot).await.attempt, 1);
}

async fn a_killmail_that_ended_with_a_verdict(database: Database) {
    let ids = 1..=i64::try_from(every_verdict().len()).unwrap();
    database.wanted(&references(ids.clone())).await;
    for (id, end) in ids.zip(every_verdict()) {
        let claim = database.detail(id).await;
        assert!(database.store.finish_detail(&claim, &end).await.unwrap());
        let claims = std::slice::from_ref(&claim);
        let before = database.contents().await;
        for again in every_verdict() {
            assert!(!database.store.finish_detail(&claim, &again).await.unwrap(), "{again:?} after {end:?}");
        }
        assert!(!database.store.mark_invalid(&claim, "422").await.unwrap());
        assert!(!database.store.store_body(&claim, new_killmail(&small_body(id))).await.unwrap());
        assert!(database.store.hand_over_details(claims).await.unwrap().is_empty());
        database.store.put_off_details(claims, Duration::from_secs(5), "why").await.unwrap();
        assert_eq!(database.contents().await, before, "after {end:?}");
    }
    assert_no_attempt_is_negative(&database).await;
}

async fn a_killmail_that_was_handed_over_or_put_off(database: Database) {
    database.wanted(&references([1, 2])).await;
    let claims = [database.detail(1).await, database.detail(2).await];
    assert_eq!(database.store.hand_over_details(&claims[..1]).await.unwrap().len(), 1);
    database.store.put_off_details(&claims[1..], Duration::from_secs(60), "a pause").await.unwrap();
    let before = database.contents().await;
    for claim in &claims {
        for again in every_verdict() {
            assert!(!database.store.finish_detail(claim, &again).await.unwrap(), "{again:?}");
        }
    }
    database.store.put_off_details(&claims, Duration::from_secs(60), "a pause").await.unwrap();
    assert!(database.store.hand_over_details(&claims).await.unwrap().is_empty());
    assert_eq!(database.contents().await, before);
    assert_no_attempt_is_negative(&database).await;
}
