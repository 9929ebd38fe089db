//! The claim that puts at most one hint per wanted killmail into the broker.

use domain::{Counted, KillmailId, Verdict};

use crate::harness::arrange::{killmail, references, sorted};
use crate::harness::{Database, at_once, contract};

contract![
    twenty_claims_at_once_hand_out_each_killmail_exactly_once,
    those_that_have_waited_longest_are_claimed_first,
    those_without_any_hint_come_before_stale_ones,
    marks_are_taken_back_and_go_stale,
    what_somebody_works_on_is_not_due_and_keeps_its_mark,
    only_what_is_wanted_and_due_is_claimed,
];

/// Wanted killmails for which no hint is out.
async fn unhinted(database: &Database, ids: impl IntoIterator<Item = i64>) -> Vec<KillmailId> {
    let references = references(ids);
    database.wanted(&references).await;
    let ids: Vec<KillmailId> = references.iter().map(|reference| reference.killmail_id).collect();
    database.store.unmark_killmails(&ids).await.unwrap();
    ids
}

async fn twenty_claims_at_once_hand_out_each_killmail_exactly_once(database: Database) {
    unhinted(&database, 1..=200).await;
    assert_eq!(database.store.count_due_killmails().await.unwrap(), 200);
    // Room for 260, so that the last ones find less than they would take.
    let claimed = at_once(&database, [13; 20], |database, limit| async move {
        database.store.claim_due_killmails(limit).await.unwrap()
    })
    .await;
    assert!(claimed.iter().all(|ids| ids.len() <= 13));
    assert_eq!(sorted(claimed.into_iter().flatten()), (1..=200).collect::<Vec<_>>());
    assert_eq!(database.store.count_due_killmails().await.unwrap(), 0);
    assert!(database.store.claim_due_killmails(200).await.unwrap().is_empty());
}

async fn those_that_have_waited_longest_are_claimed_first(database: Database) {
    unhinted(&database, 1..=4).await;
    database.run("update killmail_ref set due_at = now() - interval '1 hour' where killmail_id = 3").await;
    database.run("update killmail_ref set due_at = now() - interval '2 hours' where killmail_id = 4").await;
    assert_eq!(sorted(database.store.claim_due_killmails(2).await.unwrap()), [3, 4]);
    assert_eq!(sorted(database.store.claim_due_killmails(1).await.unwrap()), [1]);
}

async fn those_without_any_hint_come_before_stale_ones(database: Database) {
    unhinted(&database, 1..=4).await;
    // The hints of a long backlog have gone stale, and it has waited longest.
    let stale = "hinted_at = now() - interval '1 hour', due_at = now() - interval '2 hours'";
    database.run(format!("update killmail_ref set {stale} where killmail_id < 3")).await;
    assert_eq!(sorted(database.store.claim_due_killmails(1).await.unwrap()), [3]);
    assert_eq!(sorted(database.store.claim_due_killmails(2).await.unwrap()), [1, 4]);
    assert_eq!(sorted(database.store.claim_due_killmails(2).await.unwrap()), [2]);
}

async fn marks_are_taken_back_and_go_stale(database: Database) {
    unhinted(&database, 1..=3).await;
    assert_eq!(database.store.claim_due_killmails(10).await.unwrap().len(), 3);
    database.store.unmark_killmails(&[killmail(2)]).await.unwrap();
    assert_eq!(database.store.claim_due_killmails(10).await.unwrap(), [killmail(2)]);
    let backwards = "update killmail_ref set hinted_at = now() - interval";
    database.run(format!("{backwards} '301 seconds' where killmail_id = 1")).await;
    database.run(format!("{backwards} '290 seconds' where killmail_id = 3")).await;
    assert_eq!(database.store.count_due_killmails().await.unwrap(), 1);
    assert_eq!(database.store.claim_due_killmails(10).await.unwrap(), [killmail(1)]);
}

async fn what_somebody_works_on_is_not_due_and_keeps_its_mark(database: Database) {
    let ids = unhinted(&database, [1]).await;
    database.store.claim_due_killmails(10).await.unwrap();
    let claim = database.detail(1).await;
    database.run("update killmail_ref set hinted_at = now() - interval '1 day'").await;
    let before = database.contents().await;
    assert!(database.store.claim_due_killmails(10).await.unwrap().is_empty());
    database.store.unmark_killmails(&ids).await.unwrap();
    assert_eq!(database.contents().await, before);
    // Its holder has died.
    database.run("update killmail_ref set lease_until = now() - interval '1 second'").await;
    assert_eq!(database.store.claim_due_killmails(10).await.unwrap(), ids);
    drop(claim);
}

async fn only_what_is_wanted_and_due_is_claimed(database: Database) {
    unhinted(&database, 1..=5).await;
    database.stored(1).await;
    assert!(database.store.mark_invalid(&database.detail(2).await, "no such pair").await.unwrap());
    let parked = Verdict::Parked { reason: "it does not fit".to_owned() };
    assert!(database.store.finish_detail(&database.detail(3).await, &parked).await.unwrap());
    let delay = std::time::Duration::from_secs(60);
    let later = Verdict::RetryAfter { delay, reason: "503".to_owned(), counted: Counted::Attempt };
    assert!(database.store.finish_detail(&database.detail(4).await, &later).await.unwrap());
    assert_eq!(database.store.count_due_killmails().await.unwrap(), 1);
    assert_eq!(database.store.claim_due_killmails(10).await.unwrap(), [killmail(5)]);
    database.run("update killmail_ref set due_at = due_at - interval '61 seconds' where killmail_id = 4").await;
    assert_eq!(database.store.claim_due_killmails(10).await.unwrap(), [killmail(4)]);
}
