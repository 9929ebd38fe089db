//! Scopes that ESI refuses although they were granted: remembered apart, for a day, and no refresh brings them back.

use domain::TokenStreamId;
use domain::token::LIST_SCOPE;
use serde_json::json;
use store::refresh_job::Granted;
use store::token_stream::AccessToken;

use crate::harness::arrange::secret;
use crate::harness::{Database, contract};

contract![
    a_refused_scope_is_lacking_for_a_day_and_then_tried_again,
    a_refresh_does_not_bring_a_refused_scope_back,
    a_scope_that_is_taken_again_is_refused_no_more,
    scopes_are_refused_each_for_itself_and_once,
    a_refusal_in_the_future_does_not_count,
    a_use_is_remembered,
];

const OTHER_SCOPE: &str = "esi-killmails.read_corporation_killmails.v1";
const ROW: &str = "select granted_scopes, refused_scopes, scope_refused_at is not null as is_refused from token_stream";

async fn granted(database: &Database, token_stream_id: TokenStreamId) -> AccessToken {
    let claim = database.refresh(token_stream_id).await;
    let (access_token, scopes) = (secret("access"), [LIST_SCOPE.to_owned(), OTHER_SCOPE.to_owned()]);
    let expires_at = claim.claimed_at + chrono::TimeDelta::seconds(1199);
    let granted = Granted { access_token: &access_token, expires_at, owner_hash: None, scopes: &scopes };
    database.store.finish_granted(&database.keyring, &claim, granted).await.unwrap().unwrap()
}

async fn lacks_scope(database: &Database) -> bool {
    let streams = database.store.streams_of(crate::harness::arrange::character(1)).await.unwrap().streams;
    assert_eq!(streams.len(), 1);
    streams[0].lacks_scope
}

async fn a_refused_scope_is_lacking_for_a_day_and_then_tried_again(database: Database) {
    let token_stream_id = database.login(1, "one").await;
    let token = granted(&database, token_stream_id).await;
    assert!(!lacks_scope(&database).await);
    database.store.refuse_scope(&token, LIST_SCOPE).await.unwrap();
    assert!(lacks_scope(&database).await);
    database.run("update token_stream set scope_refused_at = scope_refused_at - interval '1439 minutes'").await;
    assert!(lacks_scope(&database).await);
    database.run("update token_stream set scope_refused_at = scope_refused_at - interval '2 minutes'").await;
    assert!(!lacks_scope(&database).await, "one call a day");
    database.store.refuse_scope(&token, LIST_SCOPE).await.unwrap();
    assert!(lacks_scope(&database).await);
    let refused = format!("scope_refused: {LIST_SCOPE}");
    assert_eq!(database.events(token_stream_id).await, ["signed_in", "refreshed", &refused, &refused]);
}

async fn a_refresh_does_not_bring_a_refused_scope_back(database: Database) {
    let token_stream_id = database.login(1, "one").await;
    let token = granted(&database, token_stream_id).await;
    database.store.refuse_scope(&token, LIST_SCOPE).await.unwrap();
    granted(&database, token_stream_id).await;
    assert!(lacks_scope(&database).await);
    let expected =
        json!({ "granted_scopes": [LIST_SCOPE, OTHER_SCOPE], "refused_scopes": [LIST_SCOPE], "is_refused": true });
    assert_eq!(database.row(ROW).await, expected);
}

async fn a_scope_that_is_taken_again_is_refused_no_more(database: Database) {
    let token_stream_id = database.login(1, "one").await;
    let token = granted(&database, token_stream_id).await;
    database.store.refuse_scope(&token, LIST_SCOPE).await.unwrap();
    for _ in 0..2 {
        database.store.record_accepted(&token, LIST_SCOPE).await.unwrap();
        assert!(!lacks_scope(&database).await);
    }
    let expected = json!({ "granted_scopes": [LIST_SCOPE, OTHER_SCOPE], "refused_scopes": [], "is_refused": false });
    assert_eq!(database.row(ROW).await, expected);
    let events = database.events(token_stream_id).await;
    assert_eq!(events[2..], [format!("scope_refused: {LIST_SCOPE}"), format!("scope_accepted: {LIST_SCOPE}")]);
}

async fn scopes_are_refused_each_for_itself_and_once(database: Database) {
    let token_stream_id = database.login(1, "one").await;
    let token = granted(&database, token_stream_id).await;
    for scope in [OTHER_SCOPE, LIST_SCOPE, OTHER_SCOPE] {
        database.store.refuse_scope(&token, scope).await.unwrap();
    }
    let refused = |scopes: &[&str]| json!({ "granted_scopes": [LIST_SCOPE, OTHER_SCOPE], "refused_scopes": scopes, "is_refused": !scopes.is_empty() });
    assert_eq!(database.row(ROW).await, refused(&[LIST_SCOPE, OTHER_SCOPE]));
    database.store.record_accepted(&token, LIST_SCOPE).await.unwrap();
    assert_eq!(database.row(ROW).await, refused(&[OTHER_SCOPE]));
    assert!(!lacks_scope(&database).await, "the other one is of no use for lists");
}

async fn a_refusal_in_the_future_does_not_count(database: Database) {
    let token_stream_id = database.login(1, "one").await;
    let token = granted(&database, token_stream_id).await;
    database.store.refuse_scope(&token, LIST_SCOPE).await.unwrap();
    database.run("update token_stream set scope_refused_at = now() + interval '300 days'").await;
    assert!(!lacks_scope(&database).await);
}

async fn a_use_is_remembered(database: Database) {
    let token_stream_id = database.login(1, "one").await;
    let token = granted(&database, token_stream_id).await;
    assert!(database.holds("select last_used_at is null as unused from token_stream").await);
    database.store.record_accepted(&token, LIST_SCOPE).await.unwrap();
    assert!(database.holds("select last_used_at > now() - interval '1 minute' as used from token_stream").await);
    assert_eq!(database.events(token_stream_id).await, ["signed_in", "refreshed"], "too many to be written down");
}
