//! A new refresh token is saved by compare-and-swap: whoever comes second writes nothing.

use secrecy::ExposeSecret;
use store::refresh_job::RefreshClaim;

use crate::harness::arrange::secret;
use crate::harness::{Database, at_once, contract};

contract![
    the_first_to_save_wins_and_the_loser_writes_nothing,
    a_rotated_token_is_saved_whether_or_not_the_lease_still_stands,
    of_two_that_save_at_once_one_wins_and_its_token_stays,
];

/// Two claims on one stream: the first was slow, and its lease ran out.
async fn two_claims(database: &Database) -> (RefreshClaim, RefreshClaim) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let slow = database.refresh(token_stream_id).await;
    database.refresh_leases_run_out().await;
    (slow, database.refresh(token_stream_id).await)
}

async fn the_first_to_save_wins_and_the_loser_writes_nothing(database: Database) {
    let (mut slow, mut quick) = two_claims(&database).await;
    let keyring = &database.keyring;
    assert!(database.store.save_rotated(keyring, &mut quick, &secret("of-the-winner")).await.unwrap());
    let before = database.contents().await;
    assert!(!database.store.save_rotated(keyring, &mut slow, &secret("of-the-loser")).await.unwrap());
    assert_eq!(database.contents().await, before);
    let stream = "select * from token_stream";
    let row = database.row(stream).await;
    assert!(database.grant(&slow, "access of the loser", 1199).await.is_none());
    assert_eq!(database.row(stream).await, row);
    database.refused(&slow).await;
    assert_eq!(database.row(stream).await, row, "the refusal was not of these tokens");
    // The winner goes on, with a second rotation on top.
    assert!(database.store.save_rotated(keyring, &mut quick, &secret("and-once-more")).await.unwrap());
    assert!(database.grant(&quick, "access of the winner", 1199).await.is_some());
    assert_eq!(database.refresh(quick.token_stream_id).await.refresh_token.expose_secret(), "and-once-more");
}

async fn a_rotated_token_is_saved_whether_or_not_the_lease_still_stands(database: Database) {
    let (mut slow, held) = two_claims(&database).await;
    // The provider has already forgotten the old token: this one is all there is.
    assert!(database.store.save_rotated(&database.keyring, &mut slow, &secret("all-there-is")).await.unwrap());
    let lease = "select lease_until from token_stream";
    let before = database.value(lease).await;
    assert!(database.grant(&slow, "access", 1199).await.is_some());
    assert_eq!(database.value(lease).await, before, "the lease is another's by now");
    drop(held);
    database.run("update token_stream set lease_until = null").await;
    assert_eq!(database.refresh(slow.token_stream_id).await.refresh_token.expose_secret(), "all-there-is");
}

async fn of_two_that_save_at_once_one_wins_and_its_token_stays(database: Database) {
    for round in 0..5 {
        let token_stream_id = database.login(90_000_001 + round, "first-token").await;
        let slow = database.refresh(token_stream_id).await;
        database.refresh_leases_run_out().await;
        let claims = [(slow, "of-the-slow"), (database.refresh(token_stream_id).await, "of-the-quick")];
        let won = at_once(&database, claims, |database, (mut claim, token)| async move {
            let token = secret(token);
            let won = database.store.save_rotated(&database.keyring, &mut claim, &token).await.unwrap();
            won.then_some(token)
        })
        .await;
        let won: Vec<_> = won.into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        database.run("update token_stream set lease_until = null").await;
        let claim = database.refresh(token_stream_id).await;
        assert_eq!(claim.refresh_token.expose_secret(), won[0].expose_secret());
    }
}
