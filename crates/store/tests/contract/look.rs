//! The hourly look: which streams are due, once, in even parts, and what a look leaves in the row.

use std::collections::BTreeSet;

use domain::TokenStreamId;
use store::look::DueLook;
use store::token_stream::AccessToken;

use crate::harness::{Database, at_once, contract};

contract![
    a_stream_that_nobody_has_heard_of_for_an_hour_is_due,
    whatever_is_heard_of_a_stream_puts_its_look_off,
    what_has_ended_and_what_is_not_active_is_not_looked_at,
    a_discarded_access_token_is_due_until_a_refresh_has_told,
    two_hundred_are_looked_at_in_even_parts,
    two_ticks_at_once_ask_for_each_look_once,
    a_mark_holds_for_a_quarter_of_an_hour_and_can_be_taken_back,
    a_revoked_access_token_goes_and_the_row_says_why,
    what_was_said_of_an_older_access_token_is_not_held_against_the_new_one,
];

/// So many logins with access tokens that live for hours; signed in so long ago that only what comes later counts.
async fn idle(database: &Database, count: i64) -> Vec<(TokenStreamId, AccessToken)> {
    let mut streams = Vec::new();
    for id in 1..=count {
        let stream = database.login(id, &format!("token-{id}")).await;
        let claim = database.refresh(stream).await;
        streams.push((stream, database.grant(&claim, "access", 4 * 3600).await.unwrap()));
    }
    heard_of(database, "last_refreshed_at", 60).await;
    database.run("update token_stream set created_at = now() - interval '9 days'").await;
    streams
}

async fn heard_of(database: &Database, column: &str, minutes: u32) {
    database.run(format!("update token_stream set {column} = now() - interval '{minutes} minutes'")).await;
}

async fn due(database: &Database) -> Vec<TokenStreamId> {
    database.store.due_looks().await.unwrap()
}

async fn a_stream_that_nobody_has_heard_of_for_an_hour_is_due(database: Database) {
    let (stream, _) = idle(&database, 1).await.remove(0);
    assert_eq!(due(&database).await, [stream]);
    assert_eq!(database.store.due_look(stream).await.unwrap(), Some(DueLook::AccessToken));
    database.store.record_stands(stream).await.unwrap();
    assert_eq!((due(&database).await, database.store.due_look(stream).await.unwrap()), (vec![], None));
    assert!(database.holds("select looked_at > now() - interval '1 minute' from token_health").await);
    heard_of(&database, "looked_at", 56).await;
    assert_eq!(due(&database).await, [stream]);
}

async fn whatever_is_heard_of_a_stream_puts_its_look_off(database: Database) {
    let (stream, token) = idle(&database, 1).await.remove(0);
    for column in ["last_refreshed_at", "last_used_at", "looked_at", "created_at"] {
        heard_of(&database, column, 54).await;
        assert_eq!(due(&database).await, [], "{column}");
        heard_of(&database, column, 56).await;
        assert_eq!(due(&database).await, [stream], "{column}");
    }
    database.store.record_accepted(&token, "scope").await.unwrap();
    assert_eq!(due(&database).await, []);
}

async fn what_has_ended_and_what_is_not_active_is_not_looked_at(database: Database) {
    let streams = idle(&database, 6).await;
    database.run("update token_stream set expires_at = now() where token_stream_id = 1").await;
    for (id, state) in [(2, "suspect"), (3, "dead"), (4, "quarantined")] {
        database.run(format!("update token_stream set state = '{state}' where token_stream_id = {id}")).await;
    }
    // Somebody has it in hand just now.
    database.run("update token_stream set lease_until = now() + interval '1 minute' where token_stream_id = 5").await;
    assert_eq!(due(&database).await, [streams[5].0]);
}

async fn a_discarded_access_token_is_due_until_a_refresh_has_told(database: Database) {
    let (stream, token) = idle(&database, 1).await.remove(0);
    heard_of(&database, "last_used_at", 1).await;
    assert_eq!(due(&database).await, []);
    database.store.discard_access_token(&token).await.unwrap();
    assert_eq!(due(&database).await, [stream]);
    assert_eq!(database.store.due_look(stream).await.unwrap(), Some(DueLook::Discarded));
    let claim = database.refresh(stream).await;
    assert_eq!(due(&database).await, [], "it is in somebody's hands");
    database.grant(&claim, "next", 3600).await;
    assert_eq!(database.store.due_look(stream).await.unwrap(), None);
    // A login that has never had one is no business of ours.
    let fresh = database.login(2, "never refreshed").await;
    database.run("update token_stream set created_at = now() - interval '9 days'").await;
    assert_eq!((due(&database).await, database.store.due_look(fresh).await.unwrap()), (vec![], None));
}

async fn two_hundred_are_looked_at_in_even_parts(database: Database) {
    idle(&database, 200).await;
    let (mut asked_for, mut all) = (Vec::new(), BTreeSet::new());
    // A tick in every fifth minute, over an hour.
    for _ in 0..12 {
        let streams = due(&database).await;
        asked_for.push(database.store.claim_looks(&streams).await.unwrap().len());
        for stream in streams {
            database.store.record_stands(stream).await.unwrap();
            all.insert(stream);
        }
        database
            .run(
                "update token_stream set look_hinted_at = look_hinted_at - interval '5 minutes',
                                         looked_at = looked_at - interval '5 minutes'",
            )
            .await;
    }
    assert_eq!(all.len(), 200);
    assert!(asked_for.iter().all(|looks| (18..=19).contains(looks)), "{asked_for:?}");
}

async fn two_ticks_at_once_ask_for_each_look_once(database: Database) {
    let streams: Vec<TokenStreamId> = idle(&database, 20).await.into_iter().map(|(stream, _)| stream).collect();
    let claimed = at_once(&database, 0..4, |database: Database, _| {
        let streams = streams.clone();
        async move { database.store.claim_looks(&streams).await.unwrap() }
    })
    .await;
    let mut all: Vec<TokenStreamId> = claimed.into_iter().flatten().collect();
    all.sort_by_key(|stream| stream.get());
    assert_eq!(all, streams);
}

async fn a_mark_holds_for_a_quarter_of_an_hour_and_can_be_taken_back(database: Database) {
    let (stream, _) = idle(&database, 1).await.remove(0);
    assert_eq!(database.store.claim_looks(&[stream]).await.unwrap(), [stream]);
    heard_of(&database, "look_hinted_at", 14).await;
    assert_eq!(due(&database).await, []);
    assert_eq!(database.store.claim_looks(&[stream]).await.unwrap(), []);
    heard_of(&database, "look_hinted_at", 16).await;
    assert_eq!(due(&database).await, [stream]);
    assert_eq!(database.store.claim_looks(&[stream]).await.unwrap(), [stream]);
    database.store.unmark_looks(&[stream]).await.unwrap();
    assert_eq!(due(&database).await, [stream]);
    // Of a clock that was wrong.
    database.run("update token_stream set look_hinted_at = now() + interval '3 days'").await;
    assert_eq!(due(&database).await, [stream]);
}

async fn a_revoked_access_token_goes_and_the_row_says_why(database: Database) {
    let (stream, token) = idle(&database, 1).await.remove(0);
    database.store.record_revoked(&token, "invalid access token").await.unwrap();
    database.assert_access_token(stream, None).await;
    let row = database.row("select * from token_health").await;
    assert_eq!(row["state"].as_str(), Some("active"));
    assert_eq!(row["last_error_code"].as_str(), Some("access_revoked"));
    assert_eq!(row["last_error"].as_str(), Some("invalid access token"));
    assert_eq!(row["last_event"].as_str(), Some("access_revoked"));
    assert_eq!(database.store.due_look(stream).await.unwrap(), Some(DueLook::Discarded));
    // The refresh that follows is what counts.
    let claim = database.refresh(stream).await;
    database.grant(&claim, "next", 3600).await;
    assert!(database.holds("select last_error_code is null from token_health").await);
}

async fn what_was_said_of_an_older_access_token_is_not_held_against_the_new_one(database: Database) {
    let (stream, token) = idle(&database, 1).await.remove(0);
    let claim = database.refresh(stream).await;
    database.grant(&claim, "next", 3600).await;
    database.store.record_revoked(&token, "invalid access token").await.unwrap();
    database.assert_access_token(stream, Some("next")).await;
    assert!(database.holds("select last_error_code is null from token_health").await);
    assert!(!database.events(stream).await.contains(&"access_revoked".to_owned()));
}
