//! A login that turned out not to be one is taken back, unless its token could be the only good one.

use std::collections::BTreeMap;

use domain::{TokenStreamId, Verdict};
use store::refresh_job::AnswerSeen;

use crate::harness::arrange::{character, listed, references, secret};
use crate::harness::{Database, contract};

contract![
    an_abandoned_login_leaves_nothing,
    an_abandoned_login_keeps_the_character_and_its_other_streams,
    a_character_that_has_been_synced_survives_an_abandoned_login,
    the_records_of_a_character_go_with_it,
    a_login_that_has_brought_a_token_cannot_be_abandoned,
    a_login_whose_token_the_provider_has_replaced_cannot_be_abandoned,
    a_login_whose_answer_is_out_or_lost_cannot_be_abandoned,
    abandoning_a_login_spares_one_that_is_just_being_made,
];

const PILOT: i64 = 90_000_001;

/// Taking it back is refused, and changes nothing.
async fn assert_kept(database: &Database, token_stream_id: TokenStreamId) {
    let before = contents(database).await;
    assert!(!database.store.abandon_login(token_stream_id).await.unwrap());
    assert_eq!(contents(database).await, before);
}

/// Of all tables but the record of what has happened, which is only ever added to.
async fn contents(database: &Database) -> BTreeMap<String, Vec<String>> {
    let mut contents = database.contents().await;
    contents.remove("token_event").unwrap();
    contents
}

async fn an_abandoned_login_leaves_nothing(database: Database) {
    let before = contents(&database).await;
    let token_stream_id = database.login(PILOT, "not-a-token").await;
    assert!(database.store.abandon_login(token_stream_id).await.unwrap());
    assert_eq!(contents(&database).await, before);
    // A second time there is nothing left to take back.
    assert!(!database.store.abandon_login(token_stream_id).await.unwrap());
    assert_eq!(contents(&database).await, before);
}

async fn an_abandoned_login_keeps_the_character_and_its_other_streams(database: Database) {
    database.login(PILOT, "first-token").await;
    let before = contents(&database).await;
    let second = database.login(PILOT, "not-a-token").await;
    assert!(database.store.abandon_login(second).await.unwrap());
    assert_eq!(contents(&database).await, before);
}

async fn a_character_that_has_been_synced_survives_an_abandoned_login(database: Database) {
    let synced = database.character(PILOT).await;
    let claim = database.list(synced).await;
    assert!(database.store.finish_walk(&claim, false, std::time::Duration::ZERO, 0.5).await.unwrap());
    let before = contents(&database).await;
    let token_stream_id = database.login(PILOT, "not-a-token").await;
    assert!(database.store.abandon_login(token_stream_id).await.unwrap());
    assert_eq!(contents(&database).await, before);
}

async fn the_records_of_a_character_go_with_it(database: Database) {
    let before = contents(&database).await;
    let token_stream_id = database.login(PILOT, "not-a-token").await;
    let mut claim = database.list(character(PILOT)).await;
    let page = references([1]);
    database.store.save_page(&mut claim, listed(&page, 1, 2), 0.5).await.unwrap().unwrap();
    assert!(database.store.finish_list(&claim, &Verdict::skipped("no token")).await.unwrap());
    assert!(database.store.abandon_login(token_stream_id).await.unwrap());
    let after = contents(&database).await;
    for table in ["character", "token_stream", "character_killmail", "sync_run"] {
        assert_eq!(after[table], before[table], "{table}");
    }
    assert_eq!(after["killmail_ref"].len(), 1, "the killmail is still wanted");
}

async fn a_login_that_has_brought_a_token_cannot_be_abandoned(database: Database) {
    let token_stream_id = database.login(PILOT, "first-token").await;
    let claim = database.refresh(token_stream_id).await;
    assert!(database.grant(&claim, "access", 1199).await.is_some());
    assert_kept(&database, token_stream_id).await;
}

async fn a_login_whose_token_the_provider_has_replaced_cannot_be_abandoned(database: Database) {
    let token_stream_id = database.login(PILOT, "first-token").await;
    let mut claim = database.refresh(token_stream_id).await;
    assert!(database.store.save_rotated(&database.keyring, &mut claim, &secret("all-there-is")).await.unwrap());
    // What came with it was of no use, but the refresh token that we were given is gone.
    database.no_grant(&claim, AnswerSeen::Yes).await;
    assert_kept(&database, token_stream_id).await;
}

async fn a_login_whose_answer_is_out_or_lost_cannot_be_abandoned(database: Database) {
    let token_stream_id = database.login(PILOT, "first-token").await;
    let claim = database.refresh(token_stream_id).await;
    assert_kept(&database, token_stream_id).await;
    database.no_grant(&claim, AnswerSeen::MayBeLost).await;
    assert_kept(&database, token_stream_id).await;

    let died = database.login(PILOT, "second-token").await;
    database.refresh(died).await;
    database.refresh_leases_run_out().await;
    assert_kept(&database, died).await;

    // An answer that was seen and brought nothing stands in nobody's way.
    let refused = database.login(PILOT, "third-token").await;
    database.refused(&database.refresh(refused).await).await;
    assert!(database.store.abandon_login(refused).await.unwrap());
}

async fn abandoning_a_login_spares_one_that_is_just_being_made(database: Database) {
    let wrong = database.login(PILOT, "not-a-token").await;
    // A second login of the same new character, at the moment before its commit.
    let login = [
        "insert into character (character_id, character_name) values (90000001, 'Pilot')
         on conflict (character_id) do update set character_name = character.character_name",
        "insert into token_stream (character_id, refresh_token_sealed) values (90000001, 'of the second'::bytea)",
    ];
    assert!(database.while_another_writes(&login, database.store.abandon_login(wrong)).await.unwrap());
    let streams = database.rows("select token_stream_id from token_stream join character using (character_id)");
    let streams = streams.await;
    assert!(streams.len() == 1 && streams[0]["token_stream_id"] != wrong.get(), "{streams:?}");
}
