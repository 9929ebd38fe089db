//! Tokens at rest: never in clear, and of use only in the row and column that they were sealed for.

use std::fmt::Write;

use secrecy::{ExposeSecret, SecretString};
use store::StoreError;
use store::refresh_job::RefreshStart;
use store::seal::{Keyring, SealError};

use crate::harness::arrange::{SSO_CONCURRENCY, secret};
use crate::harness::{Database, contract};

contract![
    no_token_is_in_clear_anywhere_in_the_database,
    a_sealed_token_opens_in_its_own_row_and_column_only,
    another_key_is_named_and_an_added_key_still_reads_the_old_one,
];

const REFRESH_TOKEN: &str = "refresh-token-in-clear";
const ROTATED_TOKEN: &str = "rotated-token-in-clear";
const ACCESS_TOKEN: &str = "access-token-in-clear";

/// A stream with both tokens.
async fn granted(database: &Database, character_id: i64) -> domain::TokenStreamId {
    let token_stream_id = database.login(character_id, REFRESH_TOKEN).await;
    let mut claim = database.refresh(token_stream_id).await;
    assert!(database.store.save_rotated(&database.keyring, &mut claim, &secret(ROTATED_TOKEN)).await.unwrap());
    assert!(database.grant(&claim, ACCESS_TOKEN, 1199).await.is_some());
    token_stream_id
}

fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

async fn no_token_is_in_clear_anywhere_in_the_database(database: Database) {
    let token_stream_id = granted(&database, 90_000_001).await;
    let token = database.store.access_token(&database.keyring, token_stream_id).await.unwrap().unwrap();
    assert_eq!(token.secret.expose_secret(), ACCESS_TOKEN);
    assert!(!format!("{token:?}").contains(ACCESS_TOKEN));
    // Binary columns are shown as hexadecimal digits.
    let everything = format!("{:?}", database.contents().await);
    assert!(everything.contains(&hexadecimal("contract")), "the sealed columns are in it, with their key's id");
    for token in [REFRESH_TOKEN, ROTATED_TOKEN, ACCESS_TOKEN] {
        assert!(!everything.contains(token) && !everything.contains(&hexadecimal(token)), "{token}");
    }
    let claim = database.refresh(token_stream_id).await;
    assert_eq!(claim.refresh_token.expose_secret(), ROTATED_TOKEN);
    assert!(!format!("{claim:?}").contains(ROTATED_TOKEN));
}

async fn a_sealed_token_opens_in_its_own_row_and_column_only(database: Database) {
    let (one, two) = (granted(&database, 90_000_001).await, granted(&database, 90_000_002).await);
    for source in [
        format!("select access_token_sealed from token_stream where token_stream_id = {one}"),
        format!("select refresh_token_sealed from token_stream where token_stream_id = {two}"),
    ] {
        database
            .run(format!("update token_stream set access_token_sealed = ({source}) where token_stream_id = {two}"))
            .await;
        let error = database.store.access_token(&database.keyring, two).await.unwrap_err();
        assert!(matches!(error, StoreError::Seal(SealError::DoesNotOpen { .. })), "{}", error.failure());
    }
    let moved = format!("select refresh_token_sealed from token_stream where token_stream_id = {one}");
    database
        .run(format!("update token_stream set refresh_token_sealed = ({moved}) where token_stream_id = {two}"))
        .await;
    let before = database.contents().await;
    let start = database.store.claim_refresh(&database.keyring, two, None, SSO_CONCURRENCY).await.unwrap();
    assert!(matches!(start, RefreshStart::Unopenable(SealError::DoesNotOpen { .. })), "{start:?}");
    assert_eq!(database.contents().await, before, "neither the stream nor a slot is held");
}

async fn another_key_is_named_and_an_added_key_still_reads_the_old_one(database: Database) {
    let token_stream_id = granted(&database, 90_000_001).await;
    const OTHER: &str = "other:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const OURS: &str = "contract:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let other = Keyring::parse(&SecretString::from(OTHER)).unwrap();
    let error = database.store.access_token(&other, token_stream_id).await.unwrap_err();
    assert!(error.to_string().contains("\"contract\""), "{error}");
    let both = Keyring::parse(&SecretString::from(format!("{OTHER},{OURS}"))).unwrap();
    let token = database.store.access_token(&both, token_stream_id).await.unwrap().unwrap();
    assert_eq!(token.secret.expose_secret(), ACCESS_TOKEN);
}
