//! Walking a list page by page: a cut walk goes on where it was, and only a whole walk counts as the end.

use std::time::Duration;

use domain::{SyncMode, list_walk};
use serde_json::{Value, json};
use store::list_job::ListClaim;
use store::list_page::ListedPage;

use crate::harness::arrange::{claimant, listed, references};
use crate::harness::{Database, contract};

contract![
    a_walk_that_was_cut_goes_on_where_it_was_to_the_very_end,
    the_last_page_finishes_the_walk_and_keeps_the_etag_of_the_first,
    an_unchanged_list_keeps_its_etag,
    the_etag_is_forgotten_while_the_list_has_not_been_seen_to_its_end,
    a_list_that_became_shorter_ends_where_it_ends,
    an_empty_list_is_a_walk_to_the_end,
    a_list_that_is_empty_where_a_walk_was_cut_is_walked_anew,
    all_pages_are_walked_at_first_and_every_thirty_days,
];

const ROW: &str = "select resume_page, list_etag, attempt, hinted_at is not null as hinted, \
                   lease_until is not null as leased, last_synced_at is not null as synced from character";

fn row(resume_page: Option<i64>, etag: Option<&str>, attempt: i64, in_hand: bool, synced: bool) -> Value {
    json!({ "resume_page": resume_page, "list_etag": etag, "attempt": attempt, "hinted": in_hand, "leased": in_hand,
            "synced": synced })
}

/// A claim that came by way of the scheduler.
async fn hinted(database: &Database, pilot: domain::CharacterId) -> ListClaim {
    database.run("update character set hinted_at = now()").await;
    database.list(pilot).await
}

async fn a_walk_that_was_cut_goes_on_where_it_was_to_the_very_end(database: Database) {
    let pilot = database.character(1).await;
    let pages = [references([30, 29]), references([28, 27]), references([26])];
    let mut claim = hinted(&database, pilot).await;
    let first = ListedPage { etag: Some("\"first\""), ..listed(&pages[0], 1, 3) };
    let saved = database.store.save_page(&mut claim, first, 0.5).await.unwrap().unwrap();
    assert_eq!(saved.next_page, Some(2));
    assert_eq!(database.row(ROW).await, row(Some(2), None, 1, true, false));
    // The worker dies; its lease runs out.
    database.run("update character set lease_until = now() - interval '1 second'").await;

    let mut claim = database.list(pilot).await;
    let start = list_walk::start(claim.resume_page, SyncMode::New);
    assert_eq!((start.first_page, start.mode, claim.attempt), (2, SyncMode::Full, 2));
    // In this mode a page without anything new does not end the walk.
    let known = ListedPage { mode: start.mode, ..listed(&pages[0], 2, 3) };
    let saved = database.store.save_page(&mut claim, known, 0.5).await.unwrap().unwrap();
    assert_eq!((saved.unseen, saved.next_page), (0, Some(3)));
    let last = ListedPage { mode: start.mode, ..listed(&pages[2], 3, 3) };
    let saved = database.store.save_page(&mut claim, last, 0.5).await.unwrap().unwrap();
    assert_eq!((saved.unseen, saved.next_page), (1, None));
    // This walk has not seen page 1: its ETag is not known to be that of a list seen to its end.
    assert_eq!(database.row(ROW).await, row(None, None, 0, false, true));

    let mut claim = hinted(&database, pilot).await;
    let start = list_walk::start(claim.resume_page, SyncMode::New);
    assert_eq!((start.first_page, start.mode, claim.attempt), (1, SyncMode::New, 1));
    let first = ListedPage { etag: Some("\"second\""), ..listed(&pages[0], 1, 3) };
    let saved = database.store.save_page(&mut claim, first, 0.5).await.unwrap().unwrap();
    assert_eq!((saved.unseen, saved.next_page), (0, None), "nothing unseen: the rest is known");
    assert_eq!(database.row(ROW).await, row(None, Some("\"second\""), 0, false, true));
}

async fn the_last_page_finishes_the_walk_and_keeps_the_etag_of_the_first(database: Database) {
    let pilot = database.character(1).await;
    let pages = [references([30, 29]), references([28])];
    let mut claim = hinted(&database, pilot).await;
    for (number, references) in (1..).zip(&pages) {
        let etag = format!("\"page {number}\"");
        let page = ListedPage { etag: Some(&etag), ..listed(references, number, 2) };
        let saved = database.store.save_page(&mut claim, page, 0.5).await.unwrap().unwrap();
        assert_eq!(saved.next_page, (number == 1).then_some(2));
    }
    assert_eq!(database.row(ROW).await, row(None, Some("\"page 1\""), 0, false, true));
    let run = "select verdict, reason, pages, references_new, started_at <= finished_at as in_order from sync_run";
    let expected = json!({ "verdict": "done", "reason": null, "pages": 2, "references_new": 3, "in_order": true });
    assert_eq!(database.row(run).await, expected);
    let last = database.row("select last_verdict, last_reason from character").await;
    assert_eq!(last, json!({ "last_verdict": "done", "last_reason": null }));
    // A message that comes twice finds nothing to do.
    assert!(database.store.claim_list(pilot, claimant(true)).await.unwrap().is_none());
}

async fn an_unchanged_list_keeps_its_etag(database: Database) {
    let pilot = database.character(1).await;
    let page = references([30]);
    let mut claim = hinted(&database, pilot).await;
    let first = ListedPage { etag: Some("W/\"kept\""), ..listed(&page, 1, 1) };
    database.store.save_page(&mut claim, first, 0.5).await.unwrap().unwrap();
    let claim = hinted(&database, pilot).await;
    assert_eq!((claim.etag.as_deref(), claim.resume_page), (Some("W/\"kept\""), None));
    assert!(database.store.finish_walk(&claim, true, Duration::from_secs(1000), 0.0).await.unwrap());
    assert_eq!(database.row(ROW).await, row(None, Some("W/\"kept\""), 0, false, true));
    let runs = database.rows("select pages, references_new from sync_run order by sync_run_id").await;
    let expected = [json!({ "pages": 1, "references_new": 1 }), json!({ "pages": 1, "references_new": 0 })];
    assert_eq!(runs, expected);
    let waits = "select extract(epoch from next_sync_at - last_synced_at) from character";
    assert!(database.number(waits).await > 999.5);
}

async fn the_etag_is_forgotten_while_the_list_has_not_been_seen_to_its_end(database: Database) {
    let pilot = database.character(1).await;
    let pages = [references([30]), references([32, 31])];
    let mut claim = hinted(&database, pilot).await;
    let first = ListedPage { etag: Some("\"first\""), ..listed(&pages[0], 1, 1) };
    database.store.save_page(&mut claim, first, 0.5).await.unwrap().unwrap();
    let mut claim = hinted(&database, pilot).await;
    assert_eq!(claim.etag.as_deref(), Some("\"first\""));
    let second = ListedPage { etag: Some("\"second\""), ..listed(&pages[1], 1, 2) };
    database.store.save_page(&mut claim, second, 0.5).await.unwrap().unwrap();
    assert_eq!(database.row(ROW).await, row(Some(2), None, 1, true, true));
    assert_eq!(database.store.claim_list(pilot, claimant(true)).await.unwrap().unwrap().etag, None);
}

async fn a_list_that_became_shorter_ends_where_it_ends(database: Database) {
    let pilot = database.character(1).await;
    let page = references([30]);
    let mut claim = hinted(&database, pilot).await;
    let first = ListedPage { etag: Some("\"first\""), ..listed(&page, 1, 2) };
    database.store.save_page(&mut claim, first, 0.5).await.unwrap().unwrap();
    // Page 2 is not there any more.
    assert!(database.store.finish_walk(&claim, false, Duration::ZERO, 0.5).await.unwrap());
    assert_eq!(database.row(ROW).await, row(None, Some("\"first\""), 0, false, true));
}

async fn an_empty_list_is_a_walk_to_the_end(database: Database) {
    let pilot = database.character(1).await;
    let mut claim = hinted(&database, pilot).await;
    let empty = ListedPage { mode: SyncMode::Full, ..listed(&[], 1, 1) };
    let saved = database.store.save_page(&mut claim, empty, 0.5).await.unwrap().unwrap();
    assert_eq!((saved.unseen, saved.to_fetch.len(), saved.next_page), (0, 0, None));
    assert_eq!(database.row(ROW).await, row(None, None, 0, false, true));
}

async fn a_list_that_is_empty_where_a_walk_was_cut_is_walked_anew(database: Database) {
    let pilot = database.character(1).await;
    // Of a list that has never been seen before, or was seen to its end, emptiness is believed.
    for (resume_page, attempts_before, next) in
        [("1", 0, SyncMode::New), ("1", 1, SyncMode::Full), ("null", 1, SyncMode::New)]
    {
        database
            .run(&format!(
                "update character set resume_page = {resume_page}, attempt = {attempts_before}, lease_until = null,
                                      full_walk_at = now() + interval '9 days'"
            ))
            .await;
        let mut claim = hinted(&database, pilot).await;
        let empty = ListedPage { mode: claim.mode(), ..listed(&[], 1, 1) };
        database.store.save_page(&mut claim, empty, 0.5).await.unwrap().unwrap();
        assert_eq!(database.row(ROW).await, row(None, None, 0, false, true));
        assert_eq!(hinted(&database, pilot).await.mode(), next, "{resume_page} {attempts_before}");
    }
}

async fn all_pages_are_walked_at_first_and_every_thirty_days(database: Database) {
    let pilot = database.character(1).await;
    let page = references([2, 1]);
    let days = "select extract(epoch from full_walk_at - now()) / 86400 as days from character";
    let walked = async |expected: SyncMode, is_unchanged: bool| {
        let mut claim = hinted(&database, pilot).await;
        assert_eq!(claim.mode(), expected);
        if is_unchanged {
            assert!(database.store.finish_walk(&claim, true, Duration::ZERO, 0.5).await.unwrap());
        } else {
            let listed = ListedPage { mode: claim.mode(), ..listed(&page, 1, 1) };
            database.store.save_page(&mut claim, listed, 0.5).await.unwrap().unwrap();
        }
    };
    walked(SyncMode::Full, false).await;
    let first = database.number(days).await;
    assert!((29.9..=30.0).contains(&first), "{first}");
    // A glance at the first page is no such walk, nor is an answer that nothing has changed.
    database.run("update character set full_walk_at = now() + interval '1 day'").await;
    walked(SyncMode::New, false).await;
    walked(SyncMode::New, true).await;
    assert!(database.number(days).await < 1.1);
    database.run("update character set full_walk_at = now() - interval '1 second'").await;
    walked(SyncMode::Full, false).await;
    assert!(database.number(days).await > 29.0);

    // One whose pages may not fit together is repeated sooner.
    let mut torn = hinted(&database, pilot).await;
    torn.is_torn = true;
    let listed = ListedPage { mode: SyncMode::New, ..listed(&page, 1, 1) };
    database.store.save_page(&mut torn, listed, 0.5).await.unwrap().unwrap();
    let days = database.number(days).await;
    assert!((0.9..=1.0).contains(&days), "{days}");
}
