//! How a refresh ends, and what the stream remembers of it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::token::{Health, RefreshEnd, StreamState};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::refresh_job::{AnswerSeen, Granted, RefreshClaim, Refused, expires_at};

use crate::harness::arrange::secret;
use crate::harness::{Database, contract};

contract![
    a_grant_is_stored_with_all_that_was_verified,
    a_refusal_is_remembered_and_no_token_is_lost_by_it,
    a_stream_that_changed_its_owner_stays_quarantined,
    a_grant_in_the_future_hides_no_refusal_and_no_failure,
];

const ROW: &str = "select state, strikes, first_refused_at, next_probe_at, last_error_code, last_error, \
                   last_error_at is not null as has_failed, last_refreshed_at is not null as refreshed, owner_hash, \
                   granted_scopes, lease_until, access_token_sealed is not null as has_access, \
                   refresh_token_sealed is not null as has_refresh from token_stream";

async fn grant(
    database: &Database,
    claim: &RefreshClaim,
    owner_hash: Option<&str>,
    scopes: &[String],
) -> DateTime<Utc> {
    let access_token = secret("the-access-token");
    let expires_at = expires_at(claim.claimed_at, Duration::from_secs(1199));
    let granted = Granted { access_token: &access_token, expires_at, owner_hash, scopes };
    assert!(database.store.finish_granted(&database.keyring, claim, granted).await.unwrap().is_some());
    expires_at
}

fn active(owner_hash: &str, scopes: &[&str]) -> Value {
    json!({ "state": "active", "strikes": 0, "first_refused_at": null, "next_probe_at": null, "last_error_code": null,
            "last_error": null, "has_failed": false, "refreshed": true, "owner_hash": owner_hash,
            "granted_scopes": scopes, "lease_until": null, "has_access": true, "has_refresh": true })
}

async fn a_grant_is_stored_with_all_that_was_verified(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let claim = database.refresh(token_stream_id).await;
    let scopes = ["esi-killmails.read_killmails.v1".to_owned(), "publicData".to_owned()];
    let expires_at = grant(&database, &claim, Some("owner"), &scopes).await;
    assert_eq!(expires_at, claim.claimed_at + TimeDelta::seconds(1199));
    assert_eq!(database.row(ROW).await, active("owner", &["esi-killmails.read_killmails.v1", "publicData"]));
    let now = database.store.streams_of(claim.character_id).await.unwrap();
    assert_eq!(now.streams[0].expires_at, Some(expires_at));
    let token = database.store.access_token(&database.keyring, token_stream_id).await.unwrap().unwrap();
    assert_eq!(token.secret.expose_secret(), "the-access-token");
    assert!(database.rows("select slot from sso_slot where lease_until > now()").await.is_empty());

    // A token without an owner hash says nothing against the known one; its scopes are what counts now.
    let claim = database.refresh(token_stream_id).await;
    assert_eq!((claim.owner_hash.as_deref(), claim.lost_answer), (Some("owner"), false));
    grant(&database, &claim, None, &[]).await;
    assert_eq!(database.row(ROW).await, active("owner", &[]));
    assert_eq!(database.refresh(token_stream_id).await.refresh_token.expose_secret(), "first-token");
}

async fn a_refusal_is_remembered_and_no_token_is_lost_by_it(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let claim = database.refresh(token_stream_id).await;
    grant(&database, &claim, Some("owner"), &[]).await;
    let sealed =
        "select access_token_sealed, refresh_token_sealed, expires_at, refresh_token_version from token_stream";
    let before = database.row(sealed).await;

    let mut health = Health::fresh();
    for (strikes, state) in [(1, "suspect"), (2, "suspect"), (3, "dead")] {
        let claim = database.refresh(token_stream_id).await;
        assert_eq!(claim.health, health, "what was remembered comes back");
        let text = "Invalid refresh token. Token missing/expired.";
        let kept = database.store.finish_refused(&claim, "invalid_grant", text).await.unwrap();
        health = claim.health_after(RefreshEnd::Refused);
        assert_eq!(kept, Refused::Marked(health.clone()));
        let row = database.row(ROW).await;
        assert_eq!((&row["state"], &row["strikes"]), (&json!(state), &json!(strikes)));
        assert_eq!((&row["last_error_code"], &row["last_error"]), (&json!("invalid_grant"), &json!(text)));
        assert!(row.column("has_failed") == true && row["lease_until"].is_null(), "{row}");
        assert!(database.rows("select slot from sso_slot where lease_until > now()").await.is_empty());
        // As if half a day had gone by.
        database.run("update token_stream set first_refused_at = first_refused_at - interval '13 hours'").await;
        health.first_refused_at = Some(database.time("select first_refused_at from token_stream").await);
    }
    assert_eq!(database.row(sealed).await, before);

    // A good refresh forgives all of it.
    let claim = database.refresh(token_stream_id).await;
    assert_eq!((claim.health.state, claim.lost_answer), (StreamState::Dead, false));
    grant(&database, &claim, None, &[]).await;
    assert_eq!(database.row(ROW).await, active("owner", &[]));
}

async fn a_stream_that_changed_its_owner_stays_quarantined(database: Database) {
    let token_stream_id = database.login(90_000_001, "first-token").await;
    let claim = database.refresh(token_stream_id).await;
    let health = claim.health_after(RefreshEnd::OwnerChanged);
    let error = ("owner_changed", "another account");
    database.store.finish_without_token(&claim, &health, error.0, error.1, AnswerSeen::Yes).await.unwrap();
    let streams = database.store.streams_of(claim.character_id).await.unwrap().streams;
    assert_eq!(streams[0].health.state, StreamState::Quarantined);
    assert!(streams[0].has_refresh_token);
}

async fn a_grant_in_the_future_hides_no_refusal_and_no_failure(database: Database) {
    let [refused, failed] = database.granted_logins(2).await[..] else { panic!("two logins") };
    database.run("update token_stream set last_refreshed_at = now() + interval '300 days'").await;
    let claim = database.refresh(refused).await;
    assert!(matches!(database.refused(&claim).await, Refused::Marked(_)));
    let claim = database.refresh(failed).await;
    database.no_grant(&claim, AnswerSeen::Yes).await;
    let rows = database.rows("select state, last_error_code from token_stream order by token_stream_id").await;
    assert_eq!(rows[0], json!({ "state": "suspect", "last_error_code": "invalid_grant" }));
    assert_eq!(rows[1], json!({ "state": "active", "last_error_code": "503" }));
}
