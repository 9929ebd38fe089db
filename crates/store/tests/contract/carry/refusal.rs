//! What is refused before a row is written.

use std::ops::ControlFlow;

use secrecy::ExposeSecret;
use serde_json::json;
use store::carry::{CarryError, Progress, Refusal};
use store::seal::SealError;
use tokio::runtime::Handle;

use super::arrange::{BUSY, GRANTED_STREAM, OTHER_KEY, SUSPECT_STREAM, carry, fill, refusal, with_keys};
use crate::harness::arrange::{SSO_CONCURRENCY, character, secret};
use crate::harness::{Database, contract};

contract![file_and_fleet:
    a_token_that_does_not_open_is_named_with_the_key_that_is_missing,
    a_database_with_characters_or_streams_of_its_own_is_refused,
    a_file_that_was_moved_elsewhere_is_refused,
    a_move_that_was_taken_back_is_not_put_on_top_of_its_own_remains,
    only_a_file_is_carried_and_only_to_a_server,
    nothing_is_carried_while_a_token_is_being_refreshed,
    no_token_of_a_moved_file_is_used_any_more,
];

async fn a_token_that_does_not_open_is_named_with_the_key_that_is_missing(file: Database, fleet: Database) {
    fill(&file).await;
    let refused = refusal(&with_keys(&file, OTHER_KEY), &fleet).await;
    let text = refused.to_string();
    assert!(text.starts_with("token stream 1: ") && text.contains(r#"the key "contract", which"#), "{text}");
    // Also when it is one among many, and no key would help.
    file.run(format!(
        "update token_stream set refresh_token_sealed = '\\x00'::bytea where token_stream_id = {SUSPECT_STREAM}"
    ))
    .await;
    let token_stream_id = domain::TokenStreamId::parse(SUSPECT_STREAM).unwrap();
    let why = SealError::UnknownFormat;
    assert_eq!(refusal(&file, &fleet).await, Refusal::Unopenable { token_stream_id, why });
}

async fn a_database_with_characters_or_streams_of_its_own_is_refused(file: Database, fleet: Database) {
    fill(&file).await;
    fleet.character(77).await;
    let text = refusal(&file, &fleet).await.to_string();
    assert!(text.ends_with("holds characters of its own: move into an empty database"), "{text}");
    fleet.run("delete from character").await;
    // A login of the same character is another stream all the same.
    for _ in 0..10 {
        let token_stream_id = fleet.login(BUSY, "another-token").await;
        let text = refusal(&file, &fleet).await.to_string();
        assert!(text.contains("holds token streams of"), "{text}");
        assert!(fleet.store.abandon_login(token_stream_id).await.unwrap());
    }
}

async fn a_file_that_was_moved_elsewhere_is_refused(file: Database, fleet: Database) {
    file.run("insert into moved (destination, begun_at) values ('other.example:5432/fleet', now())").await;
    for finished_at in ["null", "now()"] {
        file.run(format!("update moved set finished_at = {finished_at}")).await;
        let text = refusal(&file, &fleet).await.to_string();
        assert!(text.starts_with("the file was moved to other.example:5432/fleet: its tokens"), "{text}");
    }
}

async fn a_move_that_was_taken_back_is_not_put_on_top_of_its_own_remains(file: Database, fleet: Database) {
    fill(&file).await;
    let carried = carry(&file, &fleet).await.unwrap();
    let taken_back = file.store.take_back().await.unwrap().unwrap();
    assert_eq!(taken_back.destination, carried.destination);
    assert_eq!(file.store.moved().await.unwrap(), None);
    assert_eq!(file.store.take_back().await.unwrap(), None);
    let refused = refusal(&file, &fleet).await;
    assert_eq!(refused, Refusal::TakenBack { destination: carried.destination });
}

async fn only_a_file_is_carried_and_only_to_a_server(file: Database, fleet: Database) {
    for (from, to) in [(&fleet, &file), (&file, &file), (&fleet, &fleet)] {
        let error = carry(from, to).await.unwrap_err();
        assert!(matches!(error, CarryError::Refused(Refusal::OtherWay)), "{error}");
    }
}

async fn nothing_is_carried_while_a_token_is_being_refreshed(file: Database, fleet: Database) {
    fill(&file).await;
    let token_stream_id = domain::TokenStreamId::parse(GRANTED_STREAM).unwrap();
    file.refresh(token_stream_id).await;
    assert_eq!(refusal(&file, &fleet).await, Refusal::BeingRefreshed { token_stream_id });
    // Also when that begins after it was asked.
    file.refresh_leases_run_out().await;
    let begin_again = "update token_stream set lease_until = now() + interval '1 minute' where lease_until is not null";
    let mut watch = |_: Progress| {
        tokio::task::block_in_place(|| Handle::current().block_on(file.run(begin_again)));
        ControlFlow::Continue(())
    };
    let carried = file.store.carry_to(&fleet.store, &file.keyring, 100, &mut watch).await;
    assert!(matches!(carried, Err(CarryError::Refused(Refusal::BeingRefreshed { .. }))), "{carried:?}");
    assert_eq!(fleet.value("select count(*) as streams from token_stream").await, json!(0));
}

async fn no_token_of_a_moved_file_is_used_any_more(file: Database, fleet: Database) {
    fill(&file).await;
    let token_stream_id = domain::TokenStreamId::parse(GRANTED_STREAM).unwrap();
    // One that was begun long ago, by a process that is slow and alive.
    let mut slow = file.refresh(token_stream_id).await;
    file.refresh_leases_run_out().await;
    carry(&file, &fleet).await.unwrap();
    let said = |error: store::StoreError| error.failure().reason;
    let claimed = file.store.claim_refresh(&file.keyring, token_stream_id, None, SSO_CONCURRENCY).await;
    let text = said(claimed.unwrap_err());
    assert!(text.ends_with("this file was moved: its tokens belong to another fleet"), "{text}");
    let login = file.store.begin_login(&file.keyring, character(BUSY), "Pilot", &secret("new-token")).await;
    let text = said(login.unwrap_err());
    assert!(text.ends_with("this file was moved: sign in to the fleet that it was moved to"), "{text}");
    // A token that came all the same is not lost.
    assert!(file.store.save_rotated(&file.keyring, &mut slow, &secret("late-token")).await.unwrap());
    assert!(fleet.refresh(token_stream_id).await.lost_answer);
    file.store.take_back().await.unwrap();
    assert_eq!(file.refresh(token_stream_id).await.refresh_token.expose_secret(), "late-token");
}
