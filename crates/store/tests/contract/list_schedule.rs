//! When a list that was seen to its end is due again: by its newest killmail, and never before ESI's answer expires.

use std::time::Duration;

use domain::tier::Tiers;
use store::due::DueFilter;
use store::list_page::ListedPage;

use crate::harness::arrange::{listed, references};
use crate::harness::{Database, contract};

contract![
    whoever_was_just_busy_is_looked_at_again_after_five_minutes_or_when_the_answer_expires,
    the_longest_life_of_all_pages_counts,
    those_who_sleep_are_looked_at_rarely,
    other_tiers_are_kept,
    records_of_walks_are_kept_for_thirty_days,
    a_tick_removes_no_more_records_of_walks_than_it_has_time_for,
];

const WAITS: &str = "select extract(epoch from next_sync_at - last_synced_at) from character where character_id = 1";
const NONE_OF_IT: f64 = 0.0;
const MIDDLE: f64 = 0.5;

/// Ends a walk of character 1 with a page that brings nothing new, and gives the seconds until it is due again.
async fn waits_after_a_quiet_walk(database: &Database, ids: &[i64], lives_for: Duration) -> f64 {
    let page = references(ids.iter().copied());
    database.run("update character set hinted_at = now() where character_id = 1").await;
    let mut claim = database.list(crate::harness::arrange::character(1)).await;
    let page = ListedPage { lives_for, ..listed(&page, 1, 1) };
    let saved = database.store.save_page(&mut claim, page, MIDDLE).await.unwrap().unwrap();
    assert_eq!((saved.unseen, saved.next_page), (0, None));
    database.number(WAITS).await
}

async fn whoever_was_just_busy_is_looked_at_again_after_five_minutes_or_when_the_answer_expires(database: Database) {
    let pilot = database.character(1).await;
    for (id, lives_for, random, expected) in
        [(1, 0, NONE_OF_IT, 275.0), (2, 300, NONE_OF_IT, 300.0), (3, 1000, MIDDLE, 1000.0)]
    {
        database.run("update character set hinted_at = now(), list_expires_at = null").await;
        let mut claim = database.list(pilot).await;
        let page = references([id]);
        let page = ListedPage { lives_for: Duration::from_secs(lives_for), ..listed(&page, 1, 1) };
        database.store.save_page(&mut claim, page, random).await.unwrap().unwrap();
        let waits = database.number(WAITS).await;
        assert!((waits - expected).abs() < 0.5, "{waits} s for {lives_for} s");
        assert!(database.holds("select next_sync_at >= list_expires_at from character").await);
    }
    let force = DueFilter { force: true, full: true, character_id: Some(pilot) };
    assert!(database.store.due_characters(force, None, 1).await.unwrap().characters.is_empty());
    assert!(database.store.claim_due_characters(force, &[pilot]).await.unwrap().is_empty());
}

async fn the_longest_life_of_all_pages_counts(database: Database) {
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    let pages = [references([3]), references([2])];
    for (number, lives_for) in [(1, 300), (2, 10)] {
        let references = &pages[number as usize - 1];
        let page = ListedPage { lives_for: Duration::from_secs(lives_for), ..listed(references, number, 2) };
        database.store.save_page(&mut claim, page, MIDDLE).await.unwrap().unwrap();
    }
    let left = "select extract(epoch from list_expires_at - now()) from character";
    let left_after_pages = database.number(left).await;
    assert!((290.0..=300.0).contains(&left_after_pages), "{left_after_pages}");

    // Nor does the answer that ends a walk shorten it.
    database.run("update character set hinted_at = now(), resume_page = 2").await;
    let claim = database.list(pilot).await;
    assert!(database.store.finish_walk(&claim, false, Duration::from_secs(10), MIDDLE).await.unwrap());
    let left_after_end = database.number(left).await;
    assert!((290.0..=300.0).contains(&left_after_end), "{left_after_end}");
}

async fn those_who_sleep_are_looked_at_rarely(database: Database) {
    database.wanted(&references([10, 11])).await;
    database.stored(10).await;
    database.stored(11).await;
    let pilot = database.character(1).await;
    // Nothing is known of this one yet.
    assert!((waits_after_a_quiet_walk(&database, &[], Duration::ZERO).await - 3600.0).abs() < 0.5);
    database.run(format!("insert into character_killmail values ({pilot}, 10), ({pilot}, 11)")).await;
    for (days, hours) in [(6, 1.0 / 12.0), (8, 1.0), (31, 4.0), (91, 24.0), (366, 72.0)] {
        let ago = format!("update killmail set killmail_time = now() - interval '{days} days'");
        database.run(format!("{ago} where killmail_id = 11")).await;
        // The older one is not asked.
        database.run("update killmail set killmail_time = now() - interval '999 days' where killmail_id = 10").await;
        let waits = waits_after_a_quiet_walk(&database, &[10, 11], Duration::ZERO).await;
        assert!((waits - hours * 3600.0).abs() < 0.5, "{waits} s after {days} days");
    }
    let waits = waits_after_a_quiet_walk(&database, &[10, 11], Duration::from_secs(400_000)).await;
    assert!((waits - 400_000.0).abs() < 0.5, "never before the answer expires");
}

async fn records_of_walks_are_kept_for_thirty_days(database: Database) {
    database.character(1).await;
    for _ in 0..3 {
        waits_after_a_quiet_walk(&database, &[], Duration::ZERO).await;
    }
    let oldest = "(select min(sync_run_id) from sync_run)";
    database
        .run(format!("update sync_run set finished_at = now() - interval '29 days' where sync_run_id > {oldest}"))
        .await;
    database
        .run(format!("update sync_run set finished_at = now() - interval '31 days' where sync_run_id = {oldest}"))
        .await;
    assert_eq!(database.store.prune_sync_runs().await.unwrap(), 1);
    assert_eq!(database.store.prune_sync_runs().await.unwrap(), 0);
    assert_eq!(database.rows("select * from sync_run").await.len(), 2);
}

async fn a_tick_removes_no_more_records_of_walks_than_it_has_time_for(database: Database) {
    let many = "insert into sync_run (character_id, started_at, finished_at, verdict, pages, references_new)
                with recursive numbers (number) as (
                    select 1 union all select number + 1 from numbers where number < 100700)
                select 1, now() - interval '31 days', now() - interval '31 days', 'done', 1, 0 from numbers";
    database.character(1).await;
    assert_eq!(database.run(many).await, 100_700);
    for expected in [100_000, 700, 0] {
        assert_eq!(database.store.prune_sync_runs().await.unwrap(), expected);
    }
}

async fn other_tiers_are_kept(database: Database) {
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    let hour = Duration::from_secs(60 * 60);
    claim.tiers = Tiers::of(2 * hour, vec![(24 * hour, 3 * hour)]).unwrap();
    database.store.save_page(&mut claim, listed(&references([1]), 1, 1), MIDDLE).await.unwrap().unwrap();
    let waits = database.number(WAITS).await;
    assert!((waits - 7200.0).abs() < 0.5, "{waits}");
}
