//! An answer that may have been lost: told by the next claim, and by all that follow until a grant.

use store::refresh_job::AnswerSeen;

use crate::harness::arrange::secret;
use crate::harness::{Database, contract};

contract![
    a_lease_that_was_left_open_is_a_lost_answer,
    a_call_that_broke_off_may_have_lost_its_answer_until_a_grant,
    the_loser_of_a_race_has_lost_no_answer_and_frees_its_slot,
    an_answer_that_comes_late_after_all_was_not_lost,
];

async fn assert_no_slot_is_held(database: &Database) {
    assert!(database.rows("select slot from sso_slot where lease_until > now()").await.is_empty());
}

async fn a_lease_that_was_left_open_is_a_lost_answer(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    assert!(!database.refresh(token_stream_id).await.lost_answer);
    // Whoever held it died.
    database.refresh_leases_run_out().await;
    let claim = database.refresh(token_stream_id).await;
    assert!(claim.lost_answer);
    assert_eq!(secrecy::ExposeSecret::expose_secret(&claim.refresh_token), "first-token", "the token is kept");
    assert!(database.grant(&claim, "access", 1199).await.is_some());
    assert!(!database.refresh(token_stream_id).await.lost_answer);
}

async fn a_call_that_broke_off_may_have_lost_its_answer_until_a_grant(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let claim = database.refresh(token_stream_id).await;
    database.no_grant(&claim, AnswerSeen::MayBeLost).await;
    assert_no_slot_is_held(&database).await;
    // It can be claimed again at once. Whatever is answered short of a grant may be the consequence.
    for _ in 0..2 {
        let claim = database.refresh(token_stream_id).await;
        assert!(claim.lost_answer);
        database.refused(&claim).await;
        let claim = database.refresh(token_stream_id).await;
        assert!(claim.lost_answer);
        database.no_grant(&claim, AnswerSeen::Yes).await;
    }
    let claim = database.refresh(token_stream_id).await;
    assert_eq!((claim.lost_answer, claim.health.strikes), (true, 2));
    assert!(database.grant(&claim, "access", 1199).await.is_some());

    let claim = database.refresh(token_stream_id).await;
    assert!(!claim.lost_answer, "a grant ends the doubt");
    database.no_grant(&claim, AnswerSeen::Yes).await;
    assert!(!database.refresh(token_stream_id).await.lost_answer, "an answer that was seen is not lost");
    assert_eq!(database.rows("select slot from sso_slot where lease_until > now()").await.len(), 1);
}

async fn the_loser_of_a_race_has_lost_no_answer_and_frees_its_slot(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let mut winner = database.refresh(token_stream_id).await;
    database.refresh_leases_run_out().await;
    let mut loser = database.refresh(token_stream_id).await;
    let keyring = &database.keyring;
    assert!(database.store.save_rotated(keyring, &mut winner, &secret("of-the-winner")).await.unwrap());
    assert!(!database.store.save_rotated(keyring, &mut loser, &secret("of-the-loser")).await.unwrap());
    assert!(database.grant(&winner, "access", 1199).await.is_some());
    let look = "select state, last_error_code, last_error_at, refresh_token_version, expires_at from token_stream";
    let before = database.row(look).await;
    database.store.finish_lost_race(&loser).await.unwrap();
    assert_eq!(database.row(look).await, before, "there is nothing to remember");
    assert_no_slot_is_held(&database).await;
    assert!(!database.refresh(token_stream_id).await.lost_answer);
}

async fn an_answer_that_comes_late_after_all_was_not_lost(database: Database) {
    for (pilot, is_refused_first) in [(90_000_001, true), (90_000_002, false)] {
        let token_stream_id = database.login(pilot, "first-token").await;
        let mut slow = database.refresh(token_stream_id).await;
        database.refresh_leases_run_out().await;
        let quick = database.refresh(token_stream_id).await;
        assert!(quick.lost_answer, "as far as anybody can know now");
        if is_refused_first {
            database.refused(&quick).await;
        }
        assert!(database.store.save_rotated(&database.keyring, &mut slow, &secret("new")).await.unwrap());
        if !is_refused_first {
            database.refused(&quick).await;
        }
        assert!(database.grant(&slow, "access", 1199).await.is_some());
        assert!(!database.refresh(token_stream_id).await.lost_answer);
    }
}
