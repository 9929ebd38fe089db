//! What is written down about token streams, and for how long.

use domain::token::RefreshEnd;
use store::refresh_job::AnswerSeen;

use crate::harness::arrange::secret;
use crate::harness::{Database, contract};

contract![
    the_life_of_a_login_can_be_read_from_its_events,
    an_answer_that_may_be_lost_is_told_once_until_a_grant,
    a_login_that_was_taken_back_leaves_its_record,
    an_owner_that_changed_is_told,
    what_came_too_late_is_not_told,
    a_use_by_a_sibling_is_told_with_its_name,
    records_are_kept_for_ninety_days_and_grants_for_seven,
    an_answer_that_is_lost_is_told_although_the_grant_before_it_is_pruned,
    a_tick_removes_no_more_than_it_has_time_for,
    no_record_holds_a_token,
];

async fn the_life_of_a_login_can_be_read_from_its_events(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let mut claim = database.refresh(token_stream_id).await;
    assert!(database.store.save_rotated(&database.keyring, &mut claim, &secret("second-token")).await.unwrap());
    database.grant(&claim, "access", 1199).await;
    for _ in 0..3 {
        let claim = database.refresh(token_stream_id).await;
        database.refused(&claim).await;
        database.run("update token_stream set first_refused_at = first_refused_at - interval '13 hours'").await;
    }
    let claim = database.refresh(token_stream_id).await;
    database.grant(&claim, "access", 1199).await;
    let expected = [
        "signed_in",
        "rotated",
        "refreshed",
        "refused: invalid_grant",
        "state_changed: active -> suspect",
        "refused: invalid_grant",
        "refused: invalid_grant",
        "state_changed: suspect -> dead",
        "refreshed",
        "state_changed: dead -> active",
    ];
    assert_eq!(database.events(token_stream_id).await, expected);
    let whose = database.rows("select distinct character_id from token_event").await;
    assert_eq!(whose.len(), 1);
    assert_eq!(whose[0]["character_id"], 90_000_001);
}

async fn an_answer_that_may_be_lost_is_told_once_until_a_grant(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    for _ in 0..2 {
        for _ in 0..2 {
            let claim = database.refresh(token_stream_id).await;
            database.no_grant(&claim, AnswerSeen::MayBeLost).await;
        }
        // Whoever held it died: nothing new, as long as it is in doubt anyway.
        database.refresh(token_stream_id).await;
        database.refresh_leases_run_out().await;
        let claim = database.refresh(token_stream_id).await;
        database.grant(&claim, "access", 1199).await;
    }
    // This time it is the first that is known of it.
    database.refresh(token_stream_id).await;
    database.refresh_leases_run_out().await;
    database.refresh(token_stream_id).await;
    let expected = ["signed_in", "answer_lost", "refreshed", "answer_lost", "refreshed", "answer_lost"];
    assert_eq!(database.events(token_stream_id).await, expected);
}

async fn a_login_that_was_taken_back_leaves_its_record(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    assert!(database.store.abandon_login(token_stream_id).await.unwrap());
    assert_eq!(database.events(token_stream_id).await, ["signed_in", "login_abandoned"]);
    assert!(database.rows("select * from character").await.is_empty());
    // One that is not taken back is not told to be.
    let token_stream_id = database.login(90_000_001, "second-token").await;
    let claim = database.refresh(token_stream_id).await;
    database.grant(&claim, "access", 1199).await;
    assert!(!database.store.abandon_login(token_stream_id).await.unwrap());
    assert_eq!(database.events(token_stream_id).await, ["signed_in", "refreshed"]);
}

async fn an_owner_that_changed_is_told(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let claim = database.refresh(token_stream_id).await;
    let health = claim.health_after(RefreshEnd::OwnerChanged);
    let reason = "another account";
    database.store.finish_without_token(&claim, &health, "owner_changed", reason, AnswerSeen::Yes).await.unwrap();
    let expected = ["signed_in", "quarantined: another account", "state_changed: active -> quarantined"];
    assert_eq!(database.events(token_stream_id).await, expected);
}

async fn what_came_too_late_is_not_told(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let slow = database.refresh(token_stream_id).await;
    database.refresh_leases_run_out().await;
    let mut quick = database.refresh(token_stream_id).await;
    assert!(database.store.save_rotated(&database.keyring, &mut quick, &secret("second-token")).await.unwrap());
    database.grant(&quick, "access", 1199).await;
    let before = database.events(token_stream_id).await;
    let mut late = slow;
    assert!(!database.store.save_rotated(&database.keyring, &mut late, &secret("late-token")).await.unwrap());
    assert_eq!(database.refused(&late).await, store::refresh_job::Refused::Overtaken);
    assert!(database.grant(&late, "late", 1199).await.is_none());
    assert_eq!(database.events(token_stream_id).await, before);
}

async fn a_use_by_a_sibling_is_told_with_its_name(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    database.store.record_use(token_stream_id, "a fitting tool").await.unwrap();
    assert_eq!(database.events(token_stream_id).await, ["signed_in", "issued: a fitting tool"]);
}

async fn records_are_kept_for_ninety_days_and_grants_for_seven(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    for (word, days) in [("old", 91), ("recent", 89)] {
        database.store.record_use(token_stream_id, word).await.unwrap();
        database
            .run(format!("update token_event set at = now() - interval '{days} days' where detail = '{word}'"))
            .await;
    }
    for days in [8, 6] {
        let claim = database.refresh(token_stream_id).await;
        database.grant(&claim, "access", 1199).await;
        database
            .run(format!(
                "update token_event set at = now() - interval '{days} days'
                 where event = 'refreshed' and at > now() - interval '1 day'"
            ))
            .await;
    }
    assert_eq!(database.store.prune_token_events().await.unwrap(), 2);
    assert_eq!(database.events(token_stream_id).await, ["signed_in", "issued: recent", "refreshed"]);
    assert_eq!(database.store.prune_token_events().await.unwrap(), 0);
}

async fn an_answer_that_is_lost_is_told_although_the_grant_before_it_is_pruned(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let claim = database.refresh(token_stream_id).await;
    database.no_grant(&claim, AnswerSeen::MayBeLost).await;
    let claim = database.refresh(token_stream_id).await;
    database.grant(&claim, "access", 1199).await;
    database.run("update token_event set at = at - interval '8 days'").await;
    database.run("update token_stream set last_refreshed_at = last_refreshed_at - interval '8 days'").await;
    assert_eq!(database.store.prune_token_events().await.unwrap(), 1);
    for _ in 0..2 {
        let claim = database.refresh(token_stream_id).await;
        database.no_grant(&claim, AnswerSeen::MayBeLost).await;
    }
    assert_eq!(database.events(token_stream_id).await, ["signed_in", "answer_lost", "answer_lost"]);
}

async fn a_tick_removes_no_more_than_it_has_time_for(database: Database) {
    let many = "insert into token_event (token_stream_id, character_id, event, at)
                with recursive numbers (number) as (
                    select 1 union all select number + 1 from numbers where number < 100700)
                select number, 1, 'refreshed', now() - interval '8 days' from numbers";
    assert_eq!(database.run(many).await, 100_700);
    for expected in [100_000, 700, 0] {
        assert_eq!(database.store.prune_token_events().await.unwrap(), expected);
    }
}

async fn no_record_holds_a_token(database: Database) {
    let token_stream_id = database.login(90_000_001, "secret-one").await;
    let mut claim = database.refresh(token_stream_id).await;
    assert!(database.store.save_rotated(&database.keyring, &mut claim, &secret("secret-two")).await.unwrap());
    database.grant(&claim, "secret-three", 1199).await;
    let rows = database.rows("select * from token_event").await;
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| !row.to_string().contains("secret")), "{rows:?}");
}
