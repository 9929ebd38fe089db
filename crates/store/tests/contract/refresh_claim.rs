//! One refresh per stream at a time in the whole fleet, and a lost answer is seen for what it is.

use domain::TokenStreamId;
use domain::token::{Health, RefreshEnd, Stream};
use secrecy::ExposeSecret;
use store::refresh_job::{AnswerSeen, RefreshStart};

use crate::harness::arrange::{SSO_CONCURRENCY, character};
use crate::harness::{Database, at_once, contract};

contract![
    a_claim_gives_what_a_refresh_needs,
    the_second_one_is_busy_and_changes_nothing,
    of_twenty_at_once_one_gets_the_stream,
    who_has_decided_before_somebody_else_tried_it_claims_nothing,
    what_cannot_be_refreshed_is_impossible_and_holds_no_slot,
];

async fn start(database: &Database, token_stream_id: TokenStreamId) -> RefreshStart {
    database.store.claim_refresh(&database.keyring, token_stream_id, None, SSO_CONCURRENCY).await.unwrap()
}

async fn a_claim_gives_what_a_refresh_needs(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let before = database.store.now().await.unwrap();
    let claim = database.refresh(token_stream_id).await;
    let after = database.store.now().await.unwrap();
    assert_eq!((claim.token_stream_id, claim.character_id), (token_stream_id, character(90_000_001)));
    assert_eq!(claim.refresh_token.expose_secret(), "first-token");
    assert_eq!((claim.health, claim.owner_hash, claim.lost_answer), (Health::fresh(), None, false));
    assert!(before <= claim.claimed_at && claim.claimed_at <= after);
    let lease = database.number("select extract(epoch from lease_until - now()) from token_stream").await;
    assert!((50.0..=60.0).contains(&lease), "{lease}");
}

async fn the_second_one_is_busy_and_changes_nothing(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let claim = database.refresh(token_stream_id).await;
    let before = database.contents().await;
    assert!(matches!(start(&database, token_stream_id).await, RefreshStart::Busy));
    assert_eq!(database.contents().await, before, "no slot is held for nothing");
    // Another stream of the same character is free.
    let other = database.login(90_000_001, "second-token").await;
    assert!(matches!(start(&database, other).await, RefreshStart::Claimed(_)));
    drop(claim);
}

async fn of_twenty_at_once_one_gets_the_stream(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let starts = at_once(&database, [token_stream_id; 20], |database, token_stream_id| async move {
        start(&database, token_stream_id).await
    })
    .await;
    let claimed = starts.iter().filter(|start| matches!(start, RefreshStart::Claimed(_))).count();
    let busy = starts.iter().filter(|start| matches!(start, RefreshStart::Busy)).count();
    assert_eq!((claimed, busy), (1, 19));
    assert!((database.number("select count(*) from sso_slot where lease_until > now()").await - 1.0).abs() < 0.5);
}

async fn who_has_decided_before_somebody_else_tried_it_claims_nothing(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let look = async || database.store.streams_of(character(90_000_001)).await.unwrap().streams.remove(0);
    let start = async |decided_on: Stream| {
        let (store, keyring) = (&database.store, &database.keyring);
        store.claim_refresh(keyring, token_stream_id, Some(&decided_on), SSO_CONCURRENCY).await.unwrap()
    };
    for end in [RefreshEnd::Granted, RefreshEnd::Trouble, RefreshEnd::Refused] {
        let decided_on = look().await;
        let RefreshStart::Claimed(claim) = start(decided_on.clone()).await else { panic!("{end:?}") };
        assert!(matches!(start(decided_on.clone()).await, RefreshStart::Busy));
        match end {
            RefreshEnd::Granted => drop(database.grant(&claim, "access", 1199).await),
            RefreshEnd::Refused => drop(database.refused(&claim).await),
            _ => database.no_grant(&claim, AnswerSeen::MayBeLost).await,
        }
        let before = database.contents().await;
        assert!(matches!(start(decided_on).await, RefreshStart::Overtaken), "{end:?}");
        assert_eq!(database.contents().await, before, "{end:?}");
    }
}

async fn what_cannot_be_refreshed_is_impossible_and_holds_no_slot(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    database.run("update token_stream set refresh_token_sealed = null").await;
    let before = database.contents().await;
    let unknown = TokenStreamId::parse(4_711).unwrap();
    for id in [token_stream_id, unknown] {
        assert!(matches!(start(&database, id).await, RefreshStart::Impossible));
    }
    assert_eq!(database.contents().await, before);
}
