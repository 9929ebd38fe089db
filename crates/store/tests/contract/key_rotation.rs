//! Tokens that are sealed anew with another key, while others use and replace them.

use std::ops::ControlFlow;

use domain::TokenStreamId;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use store::reseal::{KeyUse, ROWS_AT_ONCE, ResealProgress, Resealed};
use store::seal::{Keyring, SealError, TokenColumn};

use crate::harness::arrange::secret;
use crate::harness::{Database, Found, at_once, contract};

contract![
    every_token_is_sealed_anew_and_nothing_else_changes,
    what_was_sealed_anew_stays_so_when_it_is_done_again,
    it_can_be_stopped_after_every_row_and_goes_on,
    what_does_not_open_is_told_and_left_alone_and_the_others_are_sealed_anew,
    a_token_that_is_replaced_meanwhile_is_the_one_that_is_sealed_anew,
    a_refresh_that_is_under_way_is_saved_all_the_same,
    refreshes_that_race_with_it_lose_nothing,
    a_token_that_was_read_before_it_can_be_thrown_away_after_it,
];

/// The key of the contract is the old one.
const OLD: &str = "contract:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn ring(text: impl Into<String>) -> Keyring {
    Keyring::parse(&SecretString::from(text.into())).unwrap()
}

/// To write with the new key, and to read with both.
fn new_and_old() -> Keyring {
    ring(format!("{NEW},{OLD}"))
}

/// To go on writing with the old key, and to read with both.
fn old_and_new() -> Keyring {
    ring(format!("{OLD},{NEW}"))
}

async fn reseal(database: &Database, keyring: &Keyring) -> Resealed {
    database.store.reseal(keyring, ROWS_AT_ONCE, &mut |_| ControlFlow::Continue(())).await.unwrap()
}

fn done(resealed: u64, sealed_already: u64) -> Resealed {
    Resealed { resealed, sealed_already, ..Resealed::default() }
}

fn key_use(key_id: Option<&str>, streams: u64, access_tokens: u64, refresh_tokens: u64) -> KeyUse {
    KeyUse { key_id: key_id.map(str::to_owned), streams, access_tokens, refresh_tokens }
}

/// A stream with a refresh token only, one with both, one with an access token only, and one with none: 4 tokens.
async fn four_streams(database: &Database) -> [TokenStreamId; 4] {
    let mut streams = Vec::new();
    for id in 1..=4 {
        streams.push(database.login(id, &format!("refresh {id}")).await);
    }
    for token_stream_id in &streams[1..] {
        let claim = database.refresh(*token_stream_id).await;
        assert!(database.grant(&claim, &format!("access {token_stream_id}"), 1199).await.is_some());
    }
    let [.., without_refresh, without_any] = streams[..] else { panic!("four") };
    for (column, token_stream_id) in [
        ("refresh_token_sealed", without_refresh),
        ("refresh_token_sealed", without_any),
        ("access_token_sealed", without_any),
    ] {
        let sql = format!("update token_stream set {column} = null where token_stream_id = {token_stream_id}");
        database.run(sql).await;
    }
    database.run(format!("update token_stream set state = 'dead' where token_stream_id = {without_refresh}")).await;
    streams.try_into().unwrap()
}

/// What stands in a column of every stream, opened with this ring.
async fn opened(database: &Database, keyring: &Keyring, column: TokenColumn) -> Vec<Option<String>> {
    let name = column.name();
    let rows = database.rows(format!("select token_stream_id, {name} from token_stream order by 1")).await;
    let open = |row: Found| {
        let token_stream_id = TokenStreamId::parse(row["token_stream_id"].as_i64().unwrap()).unwrap();
        let sealed = bytes(&row[name])?;
        let token = keyring.open(token_stream_id, column, &sealed);
        Some(token.unwrap_or_else(|why| panic!("{name} of {token_stream_id}: {why}")).expose_secret().to_owned())
    };
    rows.into_iter().map(open).collect()
}

/// Binary columns are shown as hexadecimal digits, with `\x` in front in PostgreSQL.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let digits = value.as_str()?.trim_start_matches("\\x");
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    Some(digits.as_bytes().chunks(2).map(byte).collect())
}

async fn all_tokens(database: &Database, keyring: &Keyring) -> [Vec<Option<String>>; 2] {
    [opened(database, keyring, TokenColumn::Access).await, opened(database, keyring, TokenColumn::Refresh).await]
}

async fn but_for_the_tokens(database: &Database) -> Vec<Found> {
    let rows = database.rows("select * from token_stream order by token_stream_id").await;
    rows.into_iter().map(|row| row.without("access_token_sealed").without("refresh_token_sealed")).collect()
}

async fn every_token_is_sealed_anew_and_nothing_else_changes(database: Database) {
    assert_eq!(database.store.key_use().await.unwrap(), []);
    assert_eq!(reseal(&database, &new_and_old()).await, Resealed::default());
    four_streams(&database).await;
    let (tokens, rest) = (all_tokens(&database, &ring(OLD)).await, but_for_the_tokens(&database).await);
    assert_eq!(database.store.key_use().await.unwrap(), [key_use(Some("contract"), 3, 2, 2)]);

    let mut told = Vec::new();
    let watch = &mut |ResealProgress { streams_done, streams }| {
        told.push((streams_done, streams));
        ControlFlow::Continue(())
    };
    // Fewer at a time than there are.
    assert_eq!(database.store.reseal(&new_and_old(), 3, watch).await.unwrap(), done(4, 0));
    assert_eq!(told, [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]);
    assert_eq!(all_tokens(&database, &ring(NEW)).await, tokens);
    assert_eq!(but_for_the_tokens(&database).await, rest);
    assert_eq!(database.store.key_use().await.unwrap(), [key_use(Some("new"), 3, 2, 2)]);
}

async fn what_was_sealed_anew_stays_so_when_it_is_done_again(database: Database) {
    four_streams(&database).await;
    reseal(&database, &new_and_old()).await;
    let before = database.contents().await;
    assert_eq!(reseal(&database, &new_and_old()).await, done(0, 4));
    assert_eq!(reseal(&database, &ring(NEW)).await, done(0, 4));
    assert_eq!(database.contents().await, before);
}

async fn it_can_be_stopped_after_every_row_and_goes_on(database: Database) {
    four_streams(&database).await;
    let tokens = all_tokens(&database, &ring(OLD)).await;
    let mut resealed_before = 0;
    for stop_after in 0..=4 {
        // From the old key to the new one, and in the next round back again.
        let (both, alone) = if stop_after % 2 == 0 { (new_and_old(), ring(NEW)) } else { (old_and_new(), ring(OLD)) };
        let watch = &mut |progress: ResealProgress| match progress.streams_done {
            done if done == stop_after => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let stopped = database.store.reseal(&both, 2, watch).await.unwrap();
        assert!(stopped.is_stopped);
        assert_eq!(all_tokens(&database, &both).await, tokens, "stopped after {stop_after}");
        let rest = reseal(&database, &both).await;
        assert_eq!((stopped.resealed + rest.resealed, rest.sealed_already), (4, stopped.resealed));
        assert!(stopped.resealed >= resealed_before && !rest.is_stopped);
        resealed_before = stopped.resealed;
        assert_eq!(all_tokens(&database, &alone).await, tokens);
    }
}

async fn what_does_not_open_is_told_and_left_alone_and_the_others_are_sealed_anew(database: Database) {
    let [first, second, third, _] = four_streams(&database).await;
    let lost = ring("lost:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=");
    // Of the same name as the first key, and yet another one.
    let namesake = ring("new:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=");
    let hexadecimal = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let set = async |token_stream_id, column: TokenColumn, sealed: String| {
        let name = column.name();
        let sql =
            format!("update token_stream set {name} = '\\x{sealed}'::bytea where token_stream_id = {token_stream_id}");
        database.run(sql).await;
    };
    set(first, TokenColumn::Refresh, hexadecimal(lost.seal(first, TokenColumn::Refresh, &secret("gone")))).await;
    set(second, TokenColumn::Access, hexadecimal(namesake.seal(second, TokenColumn::Access, &secret("gone")))).await;
    set(third, TokenColumn::Access, "ff".to_owned()).await;
    let look = "select access_token_sealed, refresh_token_sealed from token_stream order by token_stream_id";
    let before = database.rows(look).await;

    let resealed = reseal(&database, &new_and_old()).await;
    assert_eq!((resealed.resealed, resealed.sealed_already, resealed.is_stopped), (1, 0, false));
    let told: Vec<_> = resealed
        .unopenable
        .iter()
        .map(|it| (it.token_stream_id, it.character_id.get(), it.column, it.key_id.as_deref(), &it.why))
        .collect();
    let (unknown, does_not_open) =
        (SealError::UnknownKey { id: "lost".to_owned() }, SealError::DoesNotOpen { id: "new".to_owned() });
    assert_eq!(
        told,
        [
            (first, 1, TokenColumn::Refresh, Some("lost"), &unknown),
            (second, 2, TokenColumn::Access, Some("new"), &does_not_open),
            (third, 3, TokenColumn::Access, None, &SealError::UnknownFormat),
        ]
    );
    let after = database.rows(look).await;
    assert_eq!((&after[0], &after[2], &after[3]), (&before[0], &before[2], &before[3]));
    assert_eq!(after[1]["access_token_sealed"], before[1]["access_token_sealed"]);
    assert_ne!(after[1]["refresh_token_sealed"], before[1]["refresh_token_sealed"]);
    assert_eq!(
        database.store.key_use().await.unwrap(),
        [key_use(None, 1, 1, 0), key_use(Some("lost"), 1, 0, 1), key_use(Some("new"), 1, 1, 1)]
    );
}

async fn a_token_that_is_replaced_meanwhile_is_the_one_that_is_sealed_anew(mut database: Database) {
    let token_stream_id = database.login(1, "the old token").await;
    let replacement = database.keyring.seal(token_stream_id, TokenColumn::Refresh, &secret("the new token"));
    let replacement: String = replacement.iter().map(|byte| format!("{byte:02x}")).collect();
    let replace = format!("update token_stream set refresh_token_sealed = '\\x{replacement}'::bytea").leak();
    // It has read the old one by the time at which the other commits.
    let keyring = new_and_old();
    let resealed = database.while_another_writes(&[replace], reseal(&database, &keyring)).await;
    assert_eq!(resealed, done(1, 0));
    let [_, refresh] = all_tokens(&database, &ring(NEW)).await;
    assert_eq!(refresh, [Some("the new token".to_owned())]);
    // And one that is thrown away meanwhile does not come back.
    database.keyring = old_and_new();
    assert!(database.grant(&database.refresh(token_stream_id).await, "access", 1199).await.is_some());
    let discard = ["update token_stream set access_token_sealed = null"];
    let resealed = database.while_another_writes(&discard, reseal(&database, &keyring)).await;
    assert_eq!(resealed, done(0, 1));
    database.assert_access_token(token_stream_id, None).await;
}

async fn a_refresh_that_is_under_way_is_saved_all_the_same(database: Database) {
    let token_stream_id = database.login(1, "first").await;
    let mut claim = database.refresh(token_stream_id).await;
    assert_eq!(reseal(&database, &new_and_old()).await, done(1, 0));
    assert!(database.store.save_rotated(&database.keyring, &mut claim, &secret("second")).await.unwrap());
    assert_eq!(reseal(&database, &new_and_old()).await, done(1, 0));
    assert!(database.grant(&claim, "access", 1199).await.is_some());
    let tokens = all_tokens(&database, &new_and_old()).await;
    assert_eq!(tokens, [[Some("access".to_owned())], [Some("second".to_owned())]]);
    let is_ended = "select lease_until is null and refresh_token_version = 1 from token_stream";
    assert!(database.holds(is_ended).await);
}

/// What takes part in the race.
enum Part {
    Refreshes(TokenStreamId),
    Reseals,
}

async fn refreshes_that_race_with_it_lose_nothing(database: Database) {
    const STREAMS: i64 = 6;
    const ROUNDS: u32 = 8;
    let mut parts = vec![Part::Reseals, Part::Reseals];
    for id in 1..=STREAMS {
        parts.push(Part::Refreshes(database.login(id, &format!("{id} round 0")).await));
    }
    at_once(&database, parts, |mut database, part| async move {
        match part {
            Part::Reseals => {
                for _ in 0..ROUNDS {
                    assert!(reseal(&database, &new_and_old()).await.unopenable.is_empty());
                }
            }
            // As a worker does that has not been given the new key as its first one yet.
            Part::Refreshes(token_stream_id) => {
                database.keyring = old_and_new();
                for round in 1..=ROUNDS {
                    let mut claim = database.refresh(token_stream_id).await;
                    let before = claim.refresh_token.expose_secret().to_owned();
                    let (name, was) = before.split_once(" round ").unwrap();
                    assert_eq!(was, (round - 1).to_string(), "nothing older has come back");
                    let next = secret(format!("{name} round {round}"));
                    assert!(database.store.save_rotated(&database.keyring, &mut claim, &next).await.unwrap());
                    assert!(database.grant(&claim, &format!("access {round}"), 1199).await.is_some());
                }
            }
        }
    })
    .await;
    let last = reseal(&database, &new_and_old()).await;
    assert_eq!(last.resealed + last.sealed_already, 2 * STREAMS as u64);
    let [access, refresh] = all_tokens(&database, &ring(NEW)).await;
    assert_eq!(json!(access), json!(vec![format!("access {ROUNDS}"); STREAMS as usize]));
    let expected: Vec<String> = (1..=STREAMS).map(|id| format!("{id} round {ROUNDS}")).collect();
    assert_eq!(json!(refresh), json!(expected));
}

async fn a_token_that_was_read_before_it_can_be_thrown_away_after_it(mut database: Database) {
    database.keyring = old_and_new();
    let token_stream_id = database.login(1, "refresh").await;
    for (is_read_again, resealed) in [(false, 2), (true, 1)] {
        let mut old = database.grant(&database.refresh(token_stream_id).await, "same text", 1199).await.unwrap();
        if is_read_again {
            old = database.store.access_token(&database.keyring, token_stream_id).await.unwrap().unwrap();
        }
        assert_eq!(reseal(&database, &new_and_old()).await.resealed, resealed);
        database.store.discard_access_token(&old).await.unwrap();
        database.assert_access_token(token_stream_id, None).await;
        assert!(database.grant(&database.refresh(token_stream_id).await, "same text", 1199).await.is_some());
        database.store.discard_access_token(&old).await.unwrap();
        database.assert_access_token(token_stream_id, Some("same text")).await;
    }
}
