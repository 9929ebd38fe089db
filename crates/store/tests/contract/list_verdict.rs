//! A list that came to no end: what the row remembers, when it is due again, and what counts as an attempt.

use std::time::Duration;

use domain::{Counted, Verdict};
use serde_json::json;
use store::due::DueFilter;

use crate::harness::arrange::{claimant, listed, references};
use crate::harness::{Database, contract};

contract![
    every_verdict_is_remembered_and_ends_the_claim,
    a_walk_to_the_end_forgives_all_attempts,
    a_failure_in_the_middle_keeps_what_was_saved,
    a_list_that_is_handed_over_keeps_its_hint_and_costs_no_attempt,
    a_list_whose_page_is_missing_goes_on_at_the_page_before,
    a_walk_that_fails_again_and_again_starts_over_and_its_end_forgets_the_missing_pages,
    a_parked_list_is_set_aside_for_a_day,
];

fn retry(seconds: u64, counted: Counted) -> Verdict {
    Verdict::RetryAfter { delay: Duration::from_secs(seconds), reason: "why".to_owned(), counted }
}

async fn end(database: &Database, verdict: &Verdict) {
    let pilot = crate::harness::arrange::character(1);
    database.run("update character set hinted_at = now()").await;
    let claim = database.list(pilot).await;
    assert!(database.store.finish_list(&claim, verdict).await.unwrap());
}

async fn every_verdict_is_remembered_and_ends_the_claim(database: Database) {
    database.character(1).await;
    let why = || "why".to_owned();
    // The verdict, its name and reason; the seconds until it is due again, and the attempts so far.
    let cases = [
        (Verdict::Done, "done", None, 0.0, 0),
        (Verdict::skipped("why"), "skipped", Some("why"), 0.0, 0),
        (Verdict::HandBack { reason: why() }, "handed_back", Some("why"), 0.0, 0),
        (retry(90, Counted::Nothing), "retry", Some("why"), 90.0, 0),
        (retry(90, Counted::Attempt), "retry", Some("why"), 90.0, 1),
        (retry(3600, Counted::Attempt), "retry", Some("why"), 3600.0, 2),
        // Being told to wait costs nothing, and forgives nothing.
        (retry(412, Counted::Nothing), "retry", Some("why"), 412.0, 2),
        (retry(1, Counted::Refusal), "retry", Some("why"), 1.0, 3),
        // No character is given up: a day later it is looked at again.
        (Verdict::Parked { reason: why() }, "parked", Some("why"), 86_400.0, 4),
    ];
    for (number, (verdict, name, reason, delay, attempt)) in (1..).zip(cases) {
        end(&database, &verdict).await;
        let row = database
            .row(
                "select last_verdict, last_reason, hinted_at, lease_until, last_synced_at, resume_page, \
                 extract(epoch from next_sync_at - last_verdict_at) as delay, attempt from character",
            )
            .await;
        assert_eq!((&row["last_verdict"], &row["last_reason"]), (&json!(name), &json!(reason)));
        assert!(row["hinted_at"].is_null() && row["lease_until"].is_null(), "{row}");
        assert!(row["last_synced_at"].is_null() && row["resume_page"] == 1, "the list was not seen: {row}");
        assert!((row["delay"].as_f64().unwrap() - delay).abs() < 0.5 && row["attempt"] == attempt, "{row}");
        let run = database.row("select verdict, reason, pages from sync_run order by sync_run_id desc limit 1").await;
        assert_eq!(run, json!({ "verdict": name, "reason": reason, "pages": 0 }));
        assert_eq!(database.rows("select * from sync_run").await.len(), number);
    }
}

async fn a_walk_to_the_end_forgives_all_attempts(database: Database) {
    let pilot = database.character(1).await;
    for _ in 0..3 {
        end(&database, &retry(0, Counted::Attempt)).await;
    }
    let mut claim = database.list(pilot).await;
    assert_eq!(claim.attempt, 4);
    let page = references([1]);
    database.store.save_page(&mut claim, listed(&page, 1, 1), 0.5).await.unwrap().unwrap();
    database.run("update character set hinted_at = now()").await;
    assert_eq!(database.list(pilot).await.attempt, 1);
}

async fn a_failure_in_the_middle_keeps_what_was_saved(database: Database) {
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    let page = references([1, 2]);
    database.store.save_page(&mut claim, listed(&page, 1, 3), 0.5).await.unwrap().unwrap();
    assert!(database.store.finish_list(&claim, &retry(60, Counted::Attempt)).await.unwrap());
    let row = database.row("select pages, references_new, verdict from sync_run").await;
    assert_eq!(row, json!({ "pages": 1, "references_new": 2, "verdict": "retry" }));
    assert!(
        database.store.claim_list(pilot, claimant(false)).await.unwrap().is_none(),
        "not due before a minute is over"
    );
    database.run("update character set next_sync_at = next_sync_at - interval '61 seconds'").await;
    assert_eq!(database.list(pilot).await.resume_page, Some(2));
}

async fn a_list_that_is_handed_over_keeps_its_hint_and_costs_no_attempt(database: Database) {
    let pilot = database.character(1).await;
    database.store.claim_due_characters(DueFilter::default(), &[pilot]).await.unwrap();
    let claim = database.list(pilot).await;
    // The hint has grown old while the claim was held: the job that follows has a fresh one.
    database.run("update character set hinted_at = now() - interval '1 hour'").await;
    assert!(database.store.hand_over_list(&claim).await.unwrap());
    assert!(database.holds("select hinted_at = now() or hinted_at > now() - interval '1 minute' from character").await);
    assert!(database.store.due_characters(DueFilter::default(), None, 10).await.unwrap().characters.is_empty());
    assert!(database.store.claim_due_characters(DueFilter::default(), &[pilot]).await.unwrap().is_empty());
    assert_eq!(database.rows("select * from sync_run").await.len(), 0, "the attempt has not come to an end");
    let next = database.list(pilot).await;
    assert_eq!(next.attempt, 1);
    assert!(!database.store.hand_over_list(&claim).await.unwrap(), "the old claim is over");
}

async fn a_list_whose_page_is_missing_goes_on_at_the_page_before(database: Database) {
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    let page = references([1, 2]);
    database.store.save_page(&mut claim, listed(&page, 1, 9), 0.5).await.unwrap().unwrap();
    assert!(database.store.finish_list_before(&claim, &retry(60, Counted::Attempt), 2).await.unwrap());
    let row = database
        .row("select resume_page, attempt, last_verdict, last_reason, lease_until, hinted_at from character")
        .await;
    let expected = json!({ "resume_page": 1, "attempt": 1, "last_verdict": "retry", "last_reason": "why",
                           "lease_until": null, "hinted_at": null });
    assert_eq!(row, expected);
    let run = database.row("select verdict, reason, pages, references_new from sync_run").await;
    assert_eq!(run, json!({ "verdict": "retry", "reason": "why", "pages": 1, "references_new": 2 }));

    database.run("update character set hinted_at = now()").await;
    let claim = database.list(pilot).await;
    assert_eq!(claim.resume_page, Some(1));
    assert!(database.store.finish_list_before(&claim, &retry(0, Counted::Nothing), 8).await.unwrap());
    let claim = database.list(pilot).await;
    assert_eq!((claim.resume_page, claim.attempt, claim.missing_pages), (Some(7), 2, 2));
    // Otherwise the place is kept.
    assert!(database.store.finish_list(&claim, &retry(0, Counted::Nothing)).await.unwrap());
    let lost = database.list(pilot).await;
    assert_eq!(lost.resume_page, Some(7));
    database.store.claim_list(pilot, claimant(true)).await.unwrap().expect("taken over");
    assert!(!database.store.finish_list_before(&lost, &retry(0, Counted::Nothing), 2).await.unwrap());
    assert_eq!(database.value("select resume_page from character").await, json!(7));
}

async fn a_walk_that_fails_again_and_again_starts_over_and_its_end_forgets_the_missing_pages(database: Database) {
    let pilot = database.character(1).await;
    database.run("update character set resume_page = 7, missing_pages = 3").await;
    use Counted::{Attempt, Refusal};
    // Whatever the reason: a page that is refused, or makes us panic, must not hide for ever what is new on the first.
    for (expected, counted) in [(7, Attempt), (7, Refusal), (7, Attempt), (1, Refusal), (1, Attempt)] {
        let claim = database.list(pilot).await;
        // Waiting is no failure and moves nothing.
        assert!(database.store.finish_list(&claim, &retry(0, Counted::Nothing)).await.unwrap());
        let claim = database.list(pilot).await;
        assert!(database.store.finish_list(&claim, &retry(0, counted)).await.unwrap());
        assert_eq!(database.value("select resume_page from character").await, json!(expected));
    }
    let mut claim = database.list(pilot).await;
    let page = references([1]);
    database.store.save_page(&mut claim, listed(&page, 1, 1), 0.5).await.unwrap().unwrap();
    let row = database.row("select resume_page, missing_pages, attempt from character").await;
    assert_eq!(row, json!({ "resume_page": null, "missing_pages": 0, "attempt": 0 }));

    // A list that was seen to its end has no place to go back to.
    database.run("update character set attempt = 9, hinted_at = now(), list_expires_at = null").await;
    let claim = database.list(pilot).await;
    assert!(database.store.finish_list(&claim, &retry(0, Counted::Attempt)).await.unwrap());
    assert_eq!(database.value("select resume_page from character").await, json!(null));
}

async fn a_parked_list_is_set_aside_for_a_day(database: Database) {
    let pilot = database.character(1).await;
    end(&database, &Verdict::Parked { reason: "why".to_owned() }).await;
    assert!(database.store.due_characters(DueFilter::default(), None, 10).await.unwrap().characters.is_empty());
    assert!(database.store.claim_list(pilot, claimant(true)).await.unwrap().is_none());
    database.run("update character set next_sync_at = next_sync_at - interval '86401 seconds'").await;
    assert_eq!(database.store.due_characters(DueFilter::default(), None, 10).await.unwrap().characters.len(), 1);
    assert_eq!(database.list(pilot).await.attempt, 2);
}
