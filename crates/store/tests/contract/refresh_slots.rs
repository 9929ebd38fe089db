//! Token calls in flight in the whole fleet are bounded: each holds a slot for as long as its lease.

use domain::TokenStreamId;
use store::refresh_job::{AnswerSeen, RefreshClaim, RefreshStart};

use crate::harness::{Database, at_once, contract};

contract![
    with_two_slots_the_third_waits_until_one_is_finished,
    of_twenty_streams_at_once_four_are_claimed,
    a_slot_whose_holder_died_is_taken_again_and_is_not_freed_by_it,
    there_are_twenty_slots,
    a_login_takes_a_slot_as_a_refresh_does_and_gives_back_its_own_alone,
];

async fn streams(database: &Database, count: i64) -> Vec<TokenStreamId> {
    let mut streams = Vec::new();
    for id in 1..=count {
        streams.push(database.login(id, &format!("token-{id}")).await);
    }
    streams
}

/// None when it is busy.
async fn claim(database: &Database, token_stream_id: TokenStreamId, sso_concurrency: u32) -> Option<RefreshClaim> {
    match database.store.claim_refresh(&database.keyring, token_stream_id, None, sso_concurrency).await.unwrap() {
        RefreshStart::Claimed(claim) => Some(*claim),
        RefreshStart::Busy => None,
        other => panic!("stream {token_stream_id} can be refreshed: {other:?}"),
    }
}

async fn finish(database: &Database, claim: &RefreshClaim) {
    database.no_grant(claim, AnswerSeen::Yes).await;
}

async fn with_two_slots_the_third_waits_until_one_is_finished(database: Database) {
    let streams = streams(&database, 3).await;
    let first = claim(&database, streams[0], 2).await.expect("a free slot");
    let second = claim(&database, streams[1], 2).await.expect("a free slot");
    let before = database.contents().await;
    assert!(claim(&database, streams[2], 2).await.is_none());
    assert_eq!(database.contents().await, before, "a busy stream is not marked");
    finish(&database, &first).await;
    let third = claim(&database, streams[2], 2).await.expect("a slot was freed");
    assert!(claim(&database, streams[0], 2).await.is_none());
    finish(&database, &second).await;
    finish(&database, &third).await;
    let held = "select count(*) from sso_slot where lease_until > now()";
    assert!(database.number(held).await < 0.5);
}

async fn of_twenty_streams_at_once_four_are_claimed(database: Database) {
    let streams = streams(&database, 20).await;
    let claims =
        at_once(
            &database,
            streams,
            |database, token_stream_id| async move { claim(&database, token_stream_id, 4).await },
        )
        .await;
    assert_eq!(claims.iter().flatten().count(), 4);
    let held = "select count(*) from token_stream where lease_until > now()";
    assert!((database.number(held).await - 4.0).abs() < 0.5);
}

async fn a_slot_whose_holder_died_is_taken_again_and_is_not_freed_by_it(database: Database) {
    let streams = streams(&database, 3).await;
    let died = claim(&database, streams[0], 1).await.expect("a free slot");
    database.run("update sso_slot set lease_until = now() - interval '1 second' where lease_until > now()").await;
    let successor = claim(&database, streams[1], 1).await.expect("the lease ran out");
    // It was only slow: what it says late must not free the slot of its successor.
    finish(&database, &died).await;
    assert!(claim(&database, streams[2], 1).await.is_none());
    finish(&database, &successor).await;
    assert!(claim(&database, streams[2], 1).await.is_some());
}

async fn there_are_twenty_slots(database: Database) {
    let streams = streams(&database, 21).await;
    for token_stream_id in &streams[..20] {
        assert!(claim(&database, *token_stream_id, 20).await.is_some());
    }
    assert!(claim(&database, streams[20], 20).await.is_none());
}

async fn a_login_takes_a_slot_as_a_refresh_does_and_gives_back_its_own_alone(database: Database) {
    let streams = streams(&database, 1).await;
    let store = &database.store;
    let died = store.take_sso_slot(1).await.unwrap().expect("a free slot");
    assert!(store.take_sso_slot(1).await.unwrap().is_none());
    assert!(claim(&database, streams[0], 1).await.is_none(), "a refresh waits for a login");
    database.run("update sso_slot set lease_until = now() - interval '1 second' where lease_until > now()").await;
    let refresh = claim(&database, streams[0], 1).await.expect("the lease ran out");
    store.release_sso_slot(&died).await.unwrap();
    assert!(store.take_sso_slot(1).await.unwrap().is_none(), "a login waits for a refresh");
    finish(&database, &refresh).await;
    let slot = store.take_sso_slot(1).await.unwrap().expect("it was freed");
    store.release_sso_slot(&slot).await.unwrap();
    assert!(store.take_sso_slot(1).await.unwrap().is_some());
}
