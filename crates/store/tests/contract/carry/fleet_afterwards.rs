//! The fleet works on with what it was given.

use domain::token::StreamState;
use secrecy::ExposeSecret;
use store::breaker::ClientRefused;
use store::pause::{SCOPE_ESI, SCOPE_SSO};

use super::arrange::{BUSY, GRANTED_STREAM, LAST_STREAM, LOST_STREAM, SUSPECT_STREAM, carry, fill};
use crate::harness::arrange::{character, new_killmail, secret, small_body};
use crate::harness::{Database, contract};

contract![file_and_fleet:
    lists_killmails_and_tokens_are_claimed_as_in_the_file,
    new_rows_get_ids_behind_those_that_were_carried,
    what_is_thought_of_eve_sso_is_found_out_anew,
];

fn stream(token_stream_id: i64) -> domain::TokenStreamId {
    domain::TokenStreamId::parse(token_stream_id).unwrap()
}

async fn lists_killmails_and_tokens_are_claimed_as_in_the_file(file: Database, fleet: Database) {
    fill(&file).await;
    carry(&file, &fleet).await.unwrap();
    fleet.run("update character set next_sync_at = now() - interval '1 second', list_expires_at = null").await;
    let claim = fleet.list(character(BUSY)).await;
    assert_eq!((claim.attempt, claim.resume_page, claim.missing_pages), (2, Some(2), 1));
    assert_eq!(claim.etag.as_deref(), Some(r#""etag""#));
    // The hands that it was in are gone.
    let claim = fleet.detail(2).await;
    assert_eq!(claim.tries.attempts, 2);
    assert!(fleet.store.store_body(&claim, new_killmail(&small_body(2))).await.unwrap());
    let claim = fleet.refresh(stream(GRANTED_STREAM)).await;
    assert_eq!(claim.refresh_token.expose_secret(), "rotated-token");
    assert_eq!((claim.lost_answer, claim.owner_hash.as_deref()), (false, Some("owner")));
    assert!(fleet.grant(&claim, "next-access-token", 1199).await.is_some());
    fleet.assert_access_token(stream(GRANTED_STREAM), Some("next-access-token")).await;
    let claim = fleet.refresh(stream(SUSPECT_STREAM)).await;
    assert_eq!((claim.health.state, claim.health.strikes), (StreamState::Suspect, 1));
    assert!(!claim.lost_answer);
    let claim = fleet.refresh(stream(LOST_STREAM)).await;
    assert_eq!(claim.refresh_token.expose_secret(), "lost-token");
    assert!(claim.lost_answer, "what may have been lost is still known");
}

async fn new_rows_get_ids_behind_those_that_were_carried(file: Database, fleet: Database) {
    fill(&file).await;
    carry(&file, &fleet).await.unwrap();
    assert_eq!(fleet.login(BUSY, "new-token").await, stream(LAST_STREAM + 1));
    let last = file.value("select max(sync_run_id) as last from sync_run").await;
    fleet.run("update character set next_sync_at = now() - interval '1 second', list_expires_at = null").await;
    let claim = fleet.list(character(BUSY)).await;
    let verdict = domain::Verdict::Parked { reason: "for the history".to_owned() };
    assert!(fleet.store.finish_list(&claim, &verdict).await.unwrap());
    let next = fleet.value("select max(sync_run_id) as last from sync_run").await;
    assert_eq!(next.as_i64(), last.as_i64().map(|last| last + 1));
    // The token that came along is known as such.
    let again = fleet.store.begin_login(&fleet.keyring, character(BUSY), "Pilot", &secret("rotated-token")).await;
    assert_eq!(again.unwrap(), store::login::LoginStart::AlreadyStored(stream(GRANTED_STREAM)));
}

async fn what_is_thought_of_eve_sso_is_found_out_anew(file: Database, fleet: Database) {
    fill(&file).await;
    file.store.refuse_client("invalid_client").await.unwrap();
    file.run("update sso_breaker set opened_at = now(), reason = 'an outage'").await;
    assert!(file.store.claim_canary().await.unwrap().is_some());
    let paused = async |database: &Database| {
        let pauses = database.store.pauses().await.unwrap();
        pauses.into_iter().map(|pause| pause.scope).collect::<Vec<_>>()
    };
    assert_eq!(paused(&file).await, [SCOPE_ESI, SCOPE_SSO]);
    let carried = carry(&file, &fleet).await.unwrap();
    assert!(carried.finished_at.is_some(), "{carried:?}");
    assert_eq!(paused(&fleet).await, [SCOPE_ESI], "nobody would end the other one before its time");
    assert_eq!(fleet.store.claim_canary().await.unwrap(), None);
    assert_eq!(fleet.store.refuse_client("invalid_client").await.unwrap(), ClientRefused::PauseBegins);
}
