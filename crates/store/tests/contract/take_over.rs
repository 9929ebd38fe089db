//! The start of a process that has its database to itself.

use std::time::Duration;

use domain::{Counted, Verdict};
use store::due::DueFilter;
use store::refresh_job::RefreshStart;
use store::take_over::TakenOver;

use crate::harness::arrange::{SSO_CONCURRENCY, character, claimant, killmail, references};
use crate::harness::{Database, contract};

contract![
    whatever_was_hinted_or_begun_is_due_at_once_with_its_attempt_counted,
    whoever_is_not_gone_after_all_writes_nothing,
    slots_for_token_calls_are_free_and_the_lease_of_a_call_that_may_be_under_way_stands,
    what_nobody_has_begun_stays_as_it_is,
    what_a_clock_in_the_future_has_put_off_is_due_now,
];

async fn whatever_was_hinted_or_begun_is_due_at_once_with_its_attempt_counted(database: Database) {
    let store = &database.store;
    let (hinted, begun) = (database.character(1).await, database.character(2).await);
    store.claim_due_characters(DueFilter::default(), &[hinted, begun]).await.unwrap();
    database.list(begun).await;
    database.wanted(&references([10, 11])).await;
    database.detail(11).await;
    assert!(store.due_characters(DueFilter::default(), None, 10).await.unwrap().characters.is_empty());
    assert!(store.claim_due_killmails(10).await.unwrap().is_empty());

    let taken_over = store.take_over().await.unwrap();
    assert_eq!(taken_over, TakenOver { lists: 2, killmails: 2, from_the_future: 0 });
    let due = store.due_characters(DueFilter::default(), None, 10).await.unwrap();
    let due: Vec<_> = due.characters.iter().map(|due| due.character_id).collect();
    assert_eq!(due, [hinted, begun]);
    assert_eq!(store.claim_due_killmails(10).await.unwrap().len(), 2);
    assert_eq!((database.list(hinted).await.attempt, database.list(begun).await.attempt), (1, 2));
    assert_eq!((database.detail(10).await.tries.attempts, database.detail(11).await.tries.attempts), (1, 2));
}

async fn whoever_is_not_gone_after_all_writes_nothing(database: Database) {
    let store = &database.store;
    let pilot = database.character(1).await;
    let list = database.list(pilot).await;
    database.wanted(&references([10])).await;
    let detail = database.detail(10).await;
    store.take_over().await.unwrap();
    let before = database.contents().await;
    assert!(!store.finish_list(&list, &Verdict::Done).await.unwrap());
    let retry =
        Verdict::RetryAfter { delay: Duration::from_secs(60), reason: "503".to_owned(), counted: Counted::Attempt };
    assert!(!store.finish_detail(&detail, &retry).await.unwrap());
    assert_eq!(database.contents().await, before);

    // Nor once somebody else has begun.
    let again = database.list(character(1)).await;
    assert!(!store.finish_list(&list, &Verdict::Done).await.unwrap());
    assert!(store.finish_list(&again, &Verdict::Done).await.unwrap());
    assert_eq!(database.detail(10).await.tries.attempts, 2);
}

async fn slots_for_token_calls_are_free_and_the_lease_of_a_call_that_may_be_under_way_stands(database: Database) {
    let under_way = database.login(1, "first-token").await;
    database.refresh(under_way).await;
    database.store.take_over().await.unwrap();
    assert!(database.rows("select slot from sso_slot where lease_until > now()").await.is_empty());
    let again = database.store.claim_refresh(&database.keyring, under_way, None, SSO_CONCURRENCY).await.unwrap();
    assert!(matches!(again, RefreshStart::Busy), "{again:?}");
    database.refresh_leases_run_out().await;
    assert!(database.refresh(under_way).await.lost_answer);
}

async fn what_nobody_has_begun_stays_as_it_is(database: Database) {
    database.login(1, "first-token").await;
    let pilot = database.character(2).await;
    let list = database.list(pilot).await;
    let retry =
        Verdict::RetryAfter { delay: Duration::from_secs(60), reason: "503".to_owned(), counted: Counted::Attempt };
    assert!(database.store.finish_list(&list, &retry).await.unwrap());
    database.wanted(&references([10, 11])).await;
    database.stored(10).await;
    let detail = database.detail(11).await;
    assert!(database.store.mark_invalid(&detail, "422").await.unwrap());
    let before = database.contents().await;
    assert_eq!(database.store.take_over().await.unwrap(), TakenOver::default());
    assert_eq!(database.contents().await, before);
    assert!(database.store.claim_details(&[killmail(11)], claimant(false)).await.unwrap().is_empty());
}

async fn what_a_clock_in_the_future_has_put_off_is_due_now(database: Database) {
    let store = &database.store;
    let [far, near] = database.characters([1, 2]).await[..] else { panic!("two characters") };
    let stream = database.login(1, "first-token").await;
    database.wanted(&references([10, 11])).await;
    store.pause("esi", "of a wrong clock", Duration::from_secs(300 * 86_400)).await.unwrap();
    store.pause("sso", "of today", Duration::from_secs(600)).await.unwrap();
    for (time, ahead) in [("far", "300 days"), ("near", "3 days")] {
        let (character, killmail) = if time == "far" { (far, 10) } else { (near, 11) };
        database
            .run(format!(
                "update character set next_sync_at = now() + interval '{ahead}',
                                      list_expires_at = now() + interval '{ahead}' where character_id = {character}"
            ))
            .await;
        let put_off = format!("update killmail_ref set hinted_at = null, due_at = now() + interval '{ahead}'");
        database.run(format!("{put_off} where killmail_id = {killmail}")).await;
    }
    database
        .run("update token_stream set lease_until = now() + interval '300 days', next_probe_at = now() + interval '300 days'")
        .await;

    assert_eq!(store.take_over().await.unwrap().from_the_future, 4);
    let due = store.due_characters(DueFilter::default(), None, 10).await.unwrap().characters;
    let due: Vec<_> = due.iter().map(|due| due.character_id).collect();
    assert!(due.contains(&far) && !due.contains(&near), "{due:?}");
    assert_eq!(store.claim_due_killmails(10).await.unwrap(), [killmail(10)]);
    assert!(database.refresh(stream).await.lost_answer, "the mark of a lost answer stays");
    let pauses: Vec<_> = store.pauses().await.unwrap().into_iter().map(|pause| pause.scope).collect();
    assert_eq!(pauses, ["sso"]);
    assert_eq!(store.take_over().await.unwrap().from_the_future, 0);
}
