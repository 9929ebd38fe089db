//! A claim whose lease has run out: what it says late undoes nothing that came after it.

use domain::token::RefreshEnd;
use store::refresh_job::{AnswerSeen, RefreshClaim};

use crate::harness::{Database, contract};

contract![
    a_late_refusal_does_not_undo_a_newer_grant,
    a_late_refusal_leaves_the_refresh_that_is_under_way_alone,
    an_older_grant_does_not_replace_a_newer_access_token,
    a_late_grant_that_lives_longest_is_used,
    a_late_grant_does_not_lift_a_quarantine,
];

const STREAM: &str = "select * from token_stream";

/// Two claims on one stream: the first was slow, and its lease ran out.
async fn two_claims(database: &Database) -> (RefreshClaim, RefreshClaim) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let slow = database.refresh(token_stream_id).await;
    database.refresh_leases_run_out().await;
    (slow, database.refresh(token_stream_id).await)
}

async fn a_late_refusal_does_not_undo_a_newer_grant(database: Database) {
    let (slow, quick) = two_claims(&database).await;
    assert!(database.grant(&quick, "access", 1199).await.is_some());
    let before = database.contents().await;
    database.refused(&slow).await;
    let after = database.contents().await;
    // Its own slot is all that it ends.
    assert_eq!(after["token_stream"], before["token_stream"]);
    assert!(database.rows("select slot from sso_slot where lease_until > now()").await.is_empty());
}

async fn a_late_refusal_leaves_the_refresh_that_is_under_way_alone(database: Database) {
    let (slow, quick) = two_claims(&database).await;
    let before = database.row(STREAM).await;
    database.refused(&slow).await;
    database.store.finish_lost_race(&slow).await.unwrap();
    assert_eq!(database.row(STREAM).await, before);
    assert!(database.grant(&quick, "access", 1199).await.is_some());
}

async fn an_older_grant_does_not_replace_a_newer_access_token(database: Database) {
    let (slow, quick) = two_claims(&database).await;
    assert!(database.grant(&quick, "of the newer one", 1199).await.is_some());
    let before = database.row(STREAM).await;
    assert!(slow.claimed_at < quick.claimed_at);
    assert!(database.grant(&slow, "of the older one", 1199).await.is_none());
    assert_eq!(database.row(STREAM).await, before);
}

async fn a_late_grant_that_lives_longest_is_used(database: Database) {
    let (slow, quick) = two_claims(&database).await;
    // While the newer one is still under way it is the only one there is.
    assert!(database.grant(&slow, "first of all", 600).await.is_some());
    let lease = "select lease_until > now() from token_stream";
    assert!(database.holds(lease).await, "the lease is the newer one's");
    assert!(database.grant(&quick, "of the newer one", 300).await.is_some(), "whoever holds the lease decides");
    assert!(database.grant(&slow, "of the older one", 1199).await.is_some());
    database.assert_access_token(slow.token_stream_id, Some("of the older one")).await;
}

async fn a_late_grant_does_not_lift_a_quarantine(database: Database) {
    let (slow, quick) = two_claims(&database).await;
    let health = quick.health_after(RefreshEnd::OwnerChanged);
    let another = "the character belongs to another account now";
    let finished = database.store.finish_without_token(&quick, &health, "owner_changed", another, AnswerSeen::Yes);
    finished.await.unwrap();
    database.grant(&slow, "of the owner before", 1199).await;
    assert_eq!(database.row(STREAM).await["state"], "quarantined");
}
