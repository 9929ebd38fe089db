//! What sibling services are given: tokens of streams that hold what is asked for.

use chrono::TimeDelta;
use domain::TokenStreamId;
use secrecy::{ExposeSecret, SecretString};
use store::refresh_job::Granted;
use store::seal::{Keyring, SealError};
use store::{StoreError, sibling::TokenToIssue};

use crate::harness::arrange::{character, secret};
use crate::harness::{Database, contract};

contract![
    a_character_is_known_with_and_without_a_login,
    a_stream_lacks_something_unless_it_holds_all_that_is_asked_for,
    a_token_comes_with_what_was_granted_with_it,
    there_is_none_of_a_stream_that_must_not_be_used,
    one_that_does_not_open_is_told_as_such,
];

const PILOT: i64 = 90_000_001;

fn owned(scopes: &[&str]) -> Vec<String> {
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

async fn granted(database: &Database, token: &str, scopes: &[&str]) -> TokenStreamId {
    let token_stream_id = database.login(PILOT, &format!("refresh {token}")).await;
    let claim = database.refresh(token_stream_id).await;
    let (access_token, expires_at) = (secret(token), claim.claimed_at + TimeDelta::seconds(1199));
    let scopes = owned(scopes);
    let granted = Granted { access_token: &access_token, expires_at, owner_hash: None, scopes: &scopes };
    assert!(database.store.finish_granted(&database.keyring, &claim, granted).await.unwrap().is_some());
    token_stream_id
}

async fn to_issue(database: &Database, token_stream_id: TokenStreamId) -> Option<TokenToIssue> {
    database.store.token_to_issue(&database.keyring, token_stream_id).await.unwrap()
}

async fn a_character_is_known_with_and_without_a_login(database: Database) {
    database.character(1).await;
    database.login(2, "token").await;
    for (id, expected) in [(1, true), (2, true), (3, false)] {
        assert_eq!(database.store.has_character(character(id)).await.unwrap(), expected, "{id}");
    }
}

async fn a_stream_lacks_something_unless_it_holds_all_that_is_asked_for(database: Database) {
    let both = granted(&database, "both", &["a", "b"]).await;
    let none = granted(&database, "none", &[]).await;
    // Nobody knows yet what it will hold.
    let fresh = database.login(PILOT, "fresh").await;
    database.login(2, "somebody else's").await;
    for (asked, lacking) in [
        (&[][..], &[][..]),
        (&["a"], &[none]),
        (&["b", "a"], &[none]),
        (&["a", "c"], &[both, none]),
        (&["A"], &[both, none]),
    ] {
        let found = database.store.streams_with_scopes(character(PILOT), &owned(asked)).await.unwrap();
        let ids: Vec<_> = found.streams.iter().map(|stream| stream.token_stream_id).collect();
        assert!(ids.len() == 3 && [both, none, fresh].iter().all(|id| ids.contains(id)), "{ids:?}");
        let lacks: Vec<_> = found.streams.iter().filter(|stream| stream.lacks_scope).collect();
        let lacks: Vec<_> = lacks.into_iter().map(|stream| stream.token_stream_id).collect();
        assert_eq!(lacks, lacking, "{asked:?}");
    }
    // But for that they are what the fleet itself sees.
    let list = owned(&[domain::token::LIST_SCOPE]);
    let mut seen = database.store.streams_with_scopes(character(PILOT), &list).await.unwrap().streams;
    let mut own = database.store.streams_of(character(PILOT)).await.unwrap().streams;
    for streams in [&mut seen, &mut own] {
        streams.sort_by_key(|stream| stream.token_stream_id);
    }
    assert_eq!(seen, own);
}

async fn a_token_comes_with_what_was_granted_with_it(database: Database) {
    let token_stream_id = granted(&database, "access", &["a", "b"]).await;
    let before = database.contents().await;
    let token = to_issue(&database, token_stream_id).await.unwrap();
    assert_eq!((token.token_stream_id, token.secret.expose_secret()), (token_stream_id, "access"));
    assert_eq!(token.scopes, ["a", "b"]);
    assert_eq!(token.expires_at, database.time("select expires_at from token_stream").await);
    assert!((0..5).contains(&(1199 - (token.expires_at - token.now).num_seconds())), "on the database's clock");
    assert!(!format!("{token:?}").contains("access\""));
    assert_eq!(database.contents().await, before);
}

async fn there_is_none_of_a_stream_that_must_not_be_used(database: Database) {
    let token_stream_id = granted(&database, "access", &["a"]).await;
    for (state, is_given) in [("suspect", true), ("dead", false), ("quarantined", false), ("active", true)] {
        database.run(format!("update token_stream set state = '{state}'")).await;
        assert_eq!(to_issue(&database, token_stream_id).await.is_some(), is_given, "{state}");
    }
    database.run("update token_stream set access_token_sealed = null").await;
    assert!(to_issue(&database, token_stream_id).await.is_none());
    assert!(to_issue(&database, TokenStreamId::parse(4_711).unwrap()).await.is_none());
}

async fn one_that_does_not_open_is_told_as_such(database: Database) {
    let token_stream_id = granted(&database, "access", &["a"]).await;
    let other = Keyring::parse(&SecretString::from("other:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")).unwrap();
    let error = database.store.token_to_issue(&other, token_stream_id).await.unwrap_err();
    assert!(matches!(error, StoreError::Seal(SealError::UnknownKey { .. })), "{}", error.failure());
}
