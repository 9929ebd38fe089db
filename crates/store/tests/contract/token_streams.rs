//! Characters and their streams as the rules see them.

use chrono::TimeDelta;
use domain::token::{Health, LIST_SCOPE, RefreshEnd, Stream};
use store::refresh_job::{AnswerSeen, Granted};

use crate::harness::arrange::{character, secret};
use crate::harness::{Database, contract};

contract![
    a_character_is_known_once_it_has_begun_a_login,
    a_stream_tells_what_it_has_and_what_is_remembered_of_it,
    a_stream_tells_of_the_last_trouble_until_it_is_granted,
    a_stream_lacks_the_scope_of_lists_once_a_grant_came_without_it,
    streams_come_with_the_time_of_the_database,
];

async fn only_stream(database: &Database) -> Stream {
    let mut streams = database.store.streams_of(character(1)).await.unwrap().streams;
    assert_eq!(streams.len(), 1, "{streams:?}");
    streams.remove(0)
}

async fn a_character_is_known_once_it_has_begun_a_login(database: Database) {
    assert!(!database.store.has_character(character(1)).await.unwrap());
    database.login(1, "first-token").await;
    assert!(database.store.has_character(character(1)).await.unwrap());
    assert!(!database.store.has_character(character(2)).await.unwrap());
    assert!(database.store.streams_of(character(2)).await.unwrap().streams.is_empty());
}

async fn a_stream_tells_what_it_has_and_what_is_remembered_of_it(database: Database) {
    let token_stream_id = database.login(1, "first-token").await;
    let claim = database.refresh(token_stream_id).await;
    assert!(database.grant(&claim, "access", 1199).await.is_some());
    let stream = only_stream(&database).await;
    assert_eq!((stream.token_stream_id, stream.health.clone()), (token_stream_id, Health::fresh()));
    assert_eq!((stream.has_access_token, stream.has_refresh_token), (true, true));
    assert_eq!(stream.expires_at, Some(claim.claimed_at + TimeDelta::seconds(1199)));

    let claim = database.refresh(token_stream_id).await;
    let refused = claim.health_after(RefreshEnd::Refused);
    database.refused(&claim).await;
    assert_eq!(only_stream(&database).await.health, refused);
    database.run("update token_stream set access_token_sealed = null, refresh_token_sealed = null").await;
    let stream = only_stream(&database).await;
    assert_eq!((stream.has_access_token, stream.has_refresh_token), (false, false));
}

async fn a_stream_tells_of_the_last_trouble_until_it_is_granted(database: Database) {
    let token_stream_id = database.login(1, "first-token").await;
    let told = async || {
        let for_sibling = database.store.streams_with_scopes(character(1), &[]).await.unwrap().streams.remove(0);
        let stream = only_stream(&database).await;
        assert_eq!(stream.last_error_at, for_sibling.last_error_at);
        stream.last_error_at
    };
    assert_eq!(told().await, None);
    let claim = database.refresh(token_stream_id).await;
    database.no_grant(&claim, AnswerSeen::Yes).await;
    let first = told().await.unwrap();
    assert!(first >= claim.claimed_at, "{first}");
    let claim = database.refresh(token_stream_id).await;
    database.no_grant(&claim, AnswerSeen::Yes).await;
    assert!(told().await.unwrap() > first);
    let claim = database.refresh(token_stream_id).await;
    database.grant(&claim, "access", 1199).await;
    assert_eq!(told().await, None);
}

async fn a_stream_lacks_the_scope_of_lists_once_a_grant_came_without_it(database: Database) {
    let token_stream_id = database.login(1, "first-token").await;
    assert!(!only_stream(&database).await.lacks_scope, "nothing is known of it yet");
    for (scopes, lacks_scope) in [
        (vec![], true),
        (vec!["publicData", LIST_SCOPE], false),
        (vec!["publicData", "esi-killmails.read_corporation_killmails.v1"], true),
        (vec![LIST_SCOPE], false),
    ] {
        let claim = database.refresh(token_stream_id).await;
        let scopes: Vec<String> = scopes.into_iter().map(str::to_owned).collect();
        let access_token = secret("access");
        let expires_at = claim.claimed_at + TimeDelta::seconds(1199);
        let granted = Granted { access_token: &access_token, expires_at, owner_hash: None, scopes: &scopes };
        assert!(database.store.finish_granted(&database.keyring, &claim, granted).await.unwrap().is_some());
        assert_eq!(only_stream(&database).await.lacks_scope, lacks_scope, "{scopes:?}");
    }
}

async fn streams_come_with_the_time_of_the_database(database: Database) {
    let before = database.store.now().await.unwrap();
    let streams = database.store.streams_of(character(1)).await.unwrap();
    let after = database.store.now().await.unwrap();
    assert!(before <= streams.now && streams.now <= after);
}
