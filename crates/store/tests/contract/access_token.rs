//! Access tokens on their way to ESI: read, and thrown away when ESI does not take them.

use crate::harness::{Database, Found, contract};

contract![
    there_is_no_access_token_before_the_first_grant,
    a_grant_gives_the_token_as_it_is_stored,
    only_that_very_token_is_thrown_away,
];

async fn there_is_no_access_token_before_the_first_grant(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    assert!(database.store.access_token(&database.keyring, token_stream_id).await.unwrap().is_none());
    let unknown = domain::TokenStreamId::parse(4_711).unwrap();
    assert!(database.store.access_token(&database.keyring, unknown).await.unwrap().is_none());
}

async fn a_grant_gives_the_token_as_it_is_stored(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let granted = database.grant(&database.refresh(token_stream_id).await, "access", 1199).await.unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&granted.secret), "access");
    database.assert_access_token(token_stream_id, Some("access")).await;
    // What a grant gave can be thrown away as well as what was read.
    database.store.discard_access_token(&granted).await.unwrap();
    database.assert_access_token(token_stream_id, None).await;
}

async fn only_that_very_token_is_thrown_away(database: Database) {
    let keyring = &database.keyring;
    let (one, other) = (database.login(1, "one").await, database.login(2, "two").await);
    for token_stream_id in [one, other] {
        let claim = database.refresh(token_stream_id).await;
        assert!(database.grant(&claim, "the same text", 1199).await.is_some());
    }
    let old = database.store.access_token(keyring, one).await.unwrap().unwrap();
    assert!(database.grant(&database.refresh(one).await, "the same text", 1199).await.is_some());
    let before = database.contents().await;
    database.store.discard_access_token(&old).await.unwrap();
    assert_eq!(database.contents().await, before, "a newer one has taken its place");

    let rest = streams_but_for_the_token(&database).await;
    let present = database.store.access_token(keyring, one).await.unwrap().unwrap();
    for _ in 0..2 {
        database.store.discard_access_token(&present).await.unwrap();
        database.assert_access_token(one, None).await;
        database.assert_access_token(other, Some("the same text")).await;
    }
    assert_eq!(streams_but_for_the_token(&database).await, rest, "the stream can be refreshed as before");
}

async fn streams_but_for_the_token(database: &Database) -> Vec<Found> {
    let streams = database.rows("select * from token_stream order by token_stream_id").await;
    streams.into_iter().map(|stream| stream.without("access_token_sealed")).collect()
}
