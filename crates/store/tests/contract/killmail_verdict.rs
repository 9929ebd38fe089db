//! A killmail whose body did not come: what the row remembers and when it is due again.

use std::time::Duration;

use domain::{Counted, Tries, Verdict};
use serde_json::json;

use crate::harness::arrange::{claimant, killmail, references, sorted};
use crate::harness::{Database, contract};

contract![
    every_verdict_is_remembered_and_ends_the_claim,
    an_invalid_killmail_is_never_asked_for_again,
    what_is_handed_over_keeps_its_hint_and_costs_no_attempt,
    what_is_put_off_costs_no_attempt_and_only_by_whoever_holds_it,
];

const ROW: &str = "select state, attempt, refusals, last_reason, hinted_at is null and lease_until is null as free, \
                   round(extract(epoch from due_at - now())) as delay from killmail_ref where killmail_id = 1";

fn retry(seconds: u64, counted: Counted) -> Verdict {
    Verdict::RetryAfter { delay: Duration::from_secs(seconds), reason: "why".to_owned(), counted }
}

async fn free_again(database: &Database) {
    database.run("update killmail_ref set hinted_at = now()").await;
}

async fn every_verdict_is_remembered_and_ends_the_claim(database: Database) {
    database.wanted(&references([1])).await;
    let why = || "why".to_owned();
    let cases = [
        (retry(600, Counted::Attempt), "wanted", 600, (1, 0)),
        // Being told to wait costs nothing, and forgives nothing.
        (retry(900, Counted::Nothing), "wanted", 900, (1, 0)),
        (retry(3600, Counted::Attempt), "wanted", 3600, (2, 0)),
        // An outage before it brings nothing nearer to being parked: refusals are counted apart.
        (retry(7200, Counted::Refusal), "wanted", 7200, (3, 1)),
        (retry(60, Counted::Attempt), "wanted", 60, (4, 1)),
        (retry(60, Counted::Nothing), "wanted", 60, (4, 1)),
        (Verdict::HandBack { reason: why() }, "wanted", 0, (4, 1)),
        (Verdict::skipped("why"), "wanted", 0, (4, 1)),
        (retry(7200, Counted::Refusal), "wanted", 7200, (5, 2)),
        (Verdict::Parked { reason: why() }, "parked", 0, (6, 3)),
    ];
    let mut before = (0, 0);
    for (verdict, state, seconds, (attempt, refusals)) in cases {
        let claim = database.detail(1).await;
        assert_eq!(claim.tries, Tries { attempts: before.0 + 1, refusals: before.1 }, "before {verdict:?}");
        before = (attempt, refusals);
        assert!(database.store.finish_detail(&claim, &verdict).await.unwrap());
        let row = database.row(ROW).await;
        let delay = row["delay"].as_f64().unwrap();
        let expected = json!({ "state": state, "attempt": attempt, "refusals": refusals, "last_reason": "why",
                                "free": true, "delay": row["delay"] });
        assert_eq!(row, expected, "{verdict:?}");
        assert!((delay - f64::from(seconds)).abs() <= 5.0, "{delay} s after {verdict:?}");
        free_again(&database).await;
    }
    assert!(database.store.claim_details(&[killmail(1)], claimant(true)).await.unwrap().is_empty(), "parked is parked");
}

async fn an_invalid_killmail_is_never_asked_for_again(database: Database) {
    database.wanted(&references([1])).await;
    let claim = database.detail(1).await;
    assert!(database.store.mark_invalid(&claim, "ESI knows no such pair").await.unwrap());
    let row = database.row("select state, last_reason, hinted_at, lease_until from killmail_ref").await;
    let expected = json!({ "state": "invalid", "last_reason": "ESI knows no such pair", "hinted_at": null,
                           "lease_until": null });
    assert_eq!(row, expected);
    assert_eq!(database.store.count_due_killmails().await.unwrap(), 0);
    free_again(&database).await;
    assert!(database.store.claim_details(&[killmail(1)], claimant(true)).await.unwrap().is_empty());
    assert!(!database.store.mark_invalid(&claim, "twice").await.unwrap());
}

async fn what_is_handed_over_keeps_its_hint_and_costs_no_attempt(database: Database) {
    database.wanted(&references(1..=4)).await;
    let mut claims = database.store.claim_details(&[1, 2, 3, 4].map(killmail), claimant(false)).await.unwrap();
    claims.sort_by_key(|claim| claim.reference.killmail_id);
    // One of them is done, one was taken over; the hints have grown old meanwhile.
    assert!(database.store.mark_invalid(&claims[0], "422").await.unwrap());
    let taken_over = database.store.claim_details(&[killmail(2)], claimant(true)).await.unwrap().remove(0);
    database.run("update killmail_ref set hinted_at = now() - interval '1 hour' where killmail_id > 1").await;
    let before = database.rows("select * from killmail_ref where killmail_id < 3 order by killmail_id").await;
    assert_eq!(sorted(database.store.hand_over_details(&claims).await.unwrap()), [3, 4]);
    let after = database.rows("select * from killmail_ref where killmail_id < 3 order by killmail_id").await;
    assert_eq!(after, before);
    assert_eq!(database.store.count_due_killmails().await.unwrap(), 0, "a job for them is on its way");
    assert_eq!(database.detail(3).await.tries.attempts, 1);
    assert!(database.store.hand_over_details(&claims[2..3]).await.unwrap().is_empty(), "the old claim is over");
    assert_eq!(database.store.hand_over_details(&[taken_over]).await.unwrap(), [killmail(2)]);
    assert!(database.store.hand_over_details(&[]).await.unwrap().is_empty());
}

async fn what_is_put_off_costs_no_attempt_and_only_by_whoever_holds_it(database: Database) {
    database.wanted(&references(1..=4)).await;
    assert!(database.store.finish_detail(&database.detail(1).await, &retry(0, Counted::Refusal)).await.unwrap());
    let mut claims = database.store.claim_details(&[1, 2, 3, 4].map(killmail), claimant(false)).await.unwrap();
    claims.sort_by_key(|claim| claim.reference.killmail_id);
    // One of them was taken over, one is done.
    let taken_over = database.store.claim_details(&[killmail(3)], claimant(true)).await.unwrap().remove(0);
    assert!(database.store.mark_invalid(&claims[3], "422").await.unwrap());
    let others = "select * from killmail_ref where killmail_id > 2 order by killmail_id";
    let before = database.rows(others).await;
    database.store.put_off_details(&claims, Duration::from_secs(412), "the budget is used up").await.unwrap();
    assert_eq!(database.rows(others).await, before);
    let look = "select killmail_id, state, attempt, refusals, last_reason, hinted_at, lease_until,
                       due_at > now() + interval '400 seconds' and due_at < now() + interval '412 seconds' as later
                from killmail_ref where killmail_id < 3 order by killmail_id";
    let put_off = |id: i64, tries: i64| {
        json!({ "killmail_id": id, "state": "wanted", "attempt": tries, "refusals": tries, "hinted_at": null,
                "last_reason": "the budget is used up", "lease_until": null, "later": true })
    };
    assert_eq!(database.rows(look).await, [put_off(1, 1), put_off(2, 0)]);
    assert!(
        database.store.claim_details(&[1, 2].map(killmail), claimant(true)).await.unwrap().is_empty(),
        "not due yet"
    );
    assert!(database.store.mark_invalid(&taken_over, "422").await.unwrap());
    database.store.put_off_details(&[], Duration::ZERO, "nothing").await.unwrap();
}
