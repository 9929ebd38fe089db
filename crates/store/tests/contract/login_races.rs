//! Logins that are made at the same moment.

use store::login::LoginStart;

use crate::harness::arrange::{character, secret};
use crate::harness::{Database, at_once, contract};

contract![two_logins_at_once_with_different_tokens_add_two_streams, eight_logins_at_once_with_one_token_add_one_stream];

const PILOT: i64 = 90_000_001;

async fn begin_at_once<const COUNT: usize>(database: &Database, tokens: [&'static str; COUNT]) -> Vec<LoginStart> {
    at_once(database, tokens, |database, token| async move {
        let token = secret(token);
        database.store.begin_login(&database.keyring, character(PILOT), "Pilot", &token).await.unwrap()
    })
    .await
}

async fn two_logins_at_once_with_different_tokens_add_two_streams(database: Database) {
    let starts = begin_at_once(&database, ["one", "two"]).await;
    assert!(starts.iter().all(|start| matches!(start, LoginStart::Added(_))), "{starts:?}");
    assert_eq!(database.store.streams_of(character(PILOT)).await.unwrap().streams.len(), 2);
}

async fn eight_logins_at_once_with_one_token_add_one_stream(database: Database) {
    // First of a character that nobody knows, then of one that is there already.
    for (token, streams_then) in [("one", 1), ("two", 2)] {
        let starts = begin_at_once(&database, [token; 8]).await;
        let streams = database.store.streams_of(character(PILOT)).await.unwrap().streams;
        assert_eq!(streams.len(), streams_then, "{starts:?}");
        let stored = streams.iter().map(|stream| stream.token_stream_id).max().unwrap();
        assert_eq!(starts.iter().filter(|start| **start == LoginStart::Added(stored)).count(), 1, "{starts:?}");
        assert_eq!(starts.iter().filter(|start| **start == LoginStart::AlreadyStored(stored)).count(), 7);
    }
}
