//! What a test begins with: characters, logins, references. Through the verbs of the store where there is one.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::token::LIST_SCOPE;
use domain::{CharacterId, KillmailHash, KillmailId, KillmailRef, SyncMode, TokenStreamId};
use secrecy::{ExposeSecret, SecretString};
use store::detail_job::{DetailClaim, NewKillmail};
use store::lease::Claimant;
use store::list_job::ListClaim;
use store::list_page::ListedPage;
use store::login::LoginStart;
use store::refresh_job::{AnswerSeen, Granted, RefreshClaim, RefreshStart, Refused};
use store::token_stream::AccessToken;

use uuid::Uuid;

use super::Database;

/// More than any test takes at once.
pub(crate) const SSO_CONCURRENCY: u32 = 20;

/// The holder of the one message that most tests are about; with `take_over` it has been delivered again.
pub(crate) fn claimant(take_over: bool) -> Claimant {
    Claimant { job_id: Uuid::from_u128(1), take_over }
}

/// The holder of a redelivered message about the same rows.
pub(crate) fn other_claimant() -> Claimant {
    Claimant { job_id: Uuid::from_u128(2), take_over: true }
}

pub(crate) fn character(id: i64) -> CharacterId {
    CharacterId::parse(id).unwrap()
}

pub(crate) fn killmail(id: i64) -> KillmailId {
    KillmailId::parse(id).unwrap()
}

pub(crate) fn secret(text: impl Into<String>) -> SecretString {
    SecretString::from(text.into())
}

/// A reference whose hash follows from its id.
pub(crate) fn reference(id: i64) -> KillmailRef {
    KillmailRef { killmail_id: killmail(id), killmail_hash: KillmailHash::parse(format!("{id:040x}")).unwrap() }
}

pub(crate) fn references(ids: impl IntoIterator<Item = i64>) -> Vec<KillmailRef> {
    ids.into_iter().map(reference).collect()
}

/// The plain numbers, in ascending order.
pub(crate) fn sorted(ids: impl IntoIterator<Item = impl Into<i64>>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.into_iter().map(Into::into).collect();
    ids.sort_unstable();
    ids
}

/// A page that may be asked for again at once, in the mode that stops at what is known.
pub(crate) fn listed(references: &[KillmailRef], page: u32, pages: u32) -> ListedPage<'_> {
    ListedPage { page, references: Some(references), pages, etag: None, lives_for: Duration::ZERO, mode: SyncMode::New }
}

/// The smallest body that can be stored.
pub(crate) fn small_body(id: i64) -> String {
    format!(
        r#"{{"killmail_id":{id},"killmail_time":"2026-11-01T12:00:00Z","solar_system_id":30000142,
            "victim":{{"character_id":90000099,"ship_type_id":587,"damage_taken":5}},
            "attackers":[{{"damage_done":5,"final_blow":true,"security_status":0.5,"ship_type_id":588}}]}}"#
    )
}

/// As the worker reads it out of a body.
pub(crate) fn new_killmail(json: &str) -> NewKillmail<'_> {
    let killmail_time = DateTime::parse_from_rfc3339("2026-11-01T12:00:00Z").unwrap().with_timezone(&Utc);
    NewKillmail { killmail_time, solar_system_id: 30_000_142, json }
}

impl Database {
    /// Characters without a login, due since a minute.
    pub(crate) async fn characters(&self, ids: impl IntoIterator<Item = i64>) -> Vec<CharacterId> {
        let ids: Vec<CharacterId> = ids.into_iter().map(character).collect();
        let values = ids.iter().map(|id| format!("({id}, 'Pilot {id}', now() - interval '1 minute')"));
        let values = values.collect::<Vec<_>>().join(", ");
        self.run(format!("insert into character (character_id, character_name, next_sync_at) values {values}")).await;
        ids
    }

    pub(crate) async fn character(&self, id: i64) -> CharacterId {
        self.characters([id]).await[0]
    }

    /// A login that is stored and has no access token yet.
    pub(crate) async fn login(&self, id: i64, refresh_token: &str) -> TokenStreamId {
        let name = format!("Pilot {id}");
        match self.store.begin_login(&self.keyring, character(id), &name, &secret(refresh_token)).await.unwrap() {
            LoginStart::Added(token_stream_id) => token_stream_id,
            LoginStart::AlreadyStored(other) => panic!("stored already as {other}"),
        }
    }

    /// A list that must be free to be claimed.
    pub(crate) async fn list(&self, character_id: CharacterId) -> ListClaim {
        self.store.claim_list(character_id, claimant(false)).await.unwrap().expect("the list is free")
    }

    /// Makes references wanted by way of a list of their own, with their hints standing.
    pub(crate) async fn wanted(&self, references: &[KillmailRef]) {
        let lister = self.character(89_999_999).await;
        let mut claim = self.list(lister).await;
        let saved = self.store.save_page(&mut claim, listed(references, 1, 1), 0.5).await.unwrap().unwrap();
        assert_eq!(saved.to_fetch.len(), references.len());
    }

    /// A wanted killmail that must be free to be claimed.
    pub(crate) async fn detail(&self, id: i64) -> DetailClaim {
        let mut claims = self.store.claim_details(&[killmail(id)], claimant(false)).await.unwrap();
        assert_eq!(claims.len(), 1, "killmail {id} is free");
        claims.remove(0)
    }

    /// Stores the smallest body for a wanted killmail.
    pub(crate) async fn stored(&self, id: i64) {
        let claim = self.detail(id).await;
        assert!(self.store.store_body(&claim, new_killmail(&small_body(id))).await.unwrap());
    }

    /// A stream that must be free to be refreshed.
    pub(crate) async fn refresh(&self, token_stream_id: TokenStreamId) -> RefreshClaim {
        match self.store.claim_refresh(&self.keyring, token_stream_id, None, SSO_CONCURRENCY).await.unwrap() {
            RefreshStart::Claimed(claim) => *claim,
            other => panic!("not claimed: {other:?}"),
        }
    }

    /// Ends a refresh with an access token that lives for so many seconds; none when it came too late.
    pub(crate) async fn grant(&self, claim: &RefreshClaim, token: &str, lives_for_seconds: i64) -> Option<AccessToken> {
        let access_token = secret(token);
        let expires_at = claim.claimed_at + TimeDelta::seconds(lives_for_seconds);
        let scopes = [LIST_SCOPE.to_owned()];
        let granted = Granted { access_token: &access_token, expires_at, owner_hash: None, scopes: &scopes };
        self.store.finish_granted(&self.keyring, claim, granted).await.unwrap()
    }

    /// Ends a refresh that was refused for the user's sake.
    pub(crate) async fn refused(&self, claim: &RefreshClaim) -> Refused {
        self.store.finish_refused(claim, "invalid_grant", "Token missing.").await.unwrap()
    }

    /// Events of a stream, oldest first, with what else there is to say.
    pub(crate) async fn events(&self, token_stream_id: TokenStreamId) -> Vec<String> {
        let rows = self
            .rows(format!(
                "select event, detail from token_event where token_stream_id = {token_stream_id} order by token_event_id"
            ))
            .await;
        let told = rows.iter().map(|row| match row["detail"].as_str() {
            Some(detail) => format!("{}: {detail}", row["event"].as_str().unwrap()),
            None => row["event"].as_str().unwrap().to_owned(),
        });
        told.collect()
    }

    /// Logins of so many characters from 1 on, each granted before and good for a refresh.
    pub(crate) async fn granted_logins(&self, count: i64) -> Vec<TokenStreamId> {
        let mut streams = Vec::new();
        for id in 1..=count {
            streams.push(self.login(id, &format!("token-{id}")).await);
        }
        self.run("update token_stream set last_refreshed_at = now() - interval '1 hour'").await;
        streams
    }

    /// Ends a refresh with an answer that has brought no token, and speaks of nobody.
    pub(crate) async fn no_grant(&self, claim: &RefreshClaim, answer: AnswerSeen) {
        self.store.finish_without_token(claim, &claim.health, "503", "an outage", answer).await.unwrap();
    }

    /// As if everybody who refreshes had fallen silent a moment longer ago than a lease lasts.
    pub(crate) async fn refresh_leases_run_out(&self) {
        self.run("update token_stream set lease_until = now() - interval '1 second' where lease_until > now()").await;
    }

    /// What stands in the row as access token must open to this text; none when there must be none.
    pub(crate) async fn assert_access_token(&self, token_stream_id: TokenStreamId, expected: Option<&str>) {
        let token = self.store.access_token(&self.keyring, token_stream_id).await.unwrap();
        assert_eq!(token.as_ref().map(|token| token.secret.expose_secret()), expected);
    }
}
