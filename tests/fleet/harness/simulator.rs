//! The test's own simulator: what is true, what it counted, and which faults it has.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Client, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::output::Outputs;
use super::process::{Process, Running};
use super::wait::eventually;
use super::world::World;

pub(crate) struct Simulator {
    pub(crate) url: String,
    client: Client,
    /// Killed when this is dropped.
    _process: Running,
}

/// One of its characters.
#[derive(Debug, Deserialize)]
pub(crate) struct Pilot {
    pub(crate) character_id: i64,
    pub(crate) name: String,
    pub(crate) corporation_id: i64,
    /// None when all are revoked.
    pub(crate) refresh_token: Option<String>,
    pub(crate) killmail_ids: Vec<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Truth {
    pub(crate) killmails: Vec<TrueKillmail>,
    pub(crate) lists: Vec<TrueList>,
    pub(crate) corporation_lists: Vec<TrueCorporationList>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TrueKillmail {
    pub(crate) killmail_id: i64,
    pub(crate) killmail_hash: String,
    /// The very text that ESI sends.
    pub(crate) body: Box<RawValue>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TrueList {
    pub(crate) character_id: i64,
    pub(crate) killmail_ids: Vec<i64>,
}

/// What a director sees.
#[derive(Debug, Deserialize)]
pub(crate) struct TrueCorporationList {
    pub(crate) corporation_id: i64,
    pub(crate) killmail_ids: BTreeSet<i64>,
}

#[derive(Deserialize)]
struct LiveTokens {
    character_id: i64,
    refresh_tokens: BTreeSet<String>,
}

/// What its callers did since the counters were last reset.
#[derive(Debug, Deserialize)]
pub(crate) struct Counters {
    pub(crate) requests: BTreeMap<String, u64>,
    pub(crate) responses: BTreeMap<u16, u64>,
    pub(crate) tokens_spent: BTreeMap<String, u64>,
    pub(crate) requests_before_expiry: u64,
    pub(crate) requests_while_error_limited: u64,
    pub(crate) parallel_token_calls_max: u32,
    pub(crate) parallel_affiliation_calls_max: u32,
    pub(crate) token_calls_by_character: BTreeMap<i64, u64>,
    pub(crate) list_calls_by_character: BTreeMap<i64, u64>,
    pub(crate) corporation_list_calls_by_corporation: BTreeMap<i64, u64>,
    pub(crate) detail_calls_by_killmail: BTreeMap<i64, u64>,
    pub(crate) missing_user_agent: u64,
    pub(crate) budget_overdrawn: u64,
    pub(crate) faults: BTreeMap<String, u64>,
}

impl Simulator {
    pub(super) async fn start(world: &World, outputs: &Outputs) -> Self {
        let mut arguments = vec!["serve", "--listen=127.0.0.1:0"];
        arguments.extend(world.flags.iter().map(String::as_str));
        if !world.has_real_killmails {
            arguments.push("--no-real-killmails");
        }
        let process = Process::of("esi-sim", &arguments, BTreeMap::new(), outputs).start();
        process.says("listening on ").await;
        let url = process.stdout()[0].rsplit(' ').next().expect("a line has a last word").to_owned();
        // An error means that a provider is installed already, which is what we want.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { url, client, _process: process }
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Value>) -> T {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        // An answer without a body stands for null.
        serde_json::from_str(if text.is_empty() { "null" } else { &text }).unwrap()
    }

    pub(crate) async fn pilots(&self) -> Vec<Pilot> {
        self.ask(Method::GET, "/sim/characters", None).await
    }

    pub(crate) async fn truth(&self) -> Truth {
        self.ask(Method::GET, "/sim/truth", None).await
    }

    pub(crate) async fn counters(&self) -> Counters {
        self.ask(Method::GET, "/sim/counters", None).await
    }

    pub(crate) async fn reset_counters(&self) {
        let () = self.ask(Method::POST, "/sim/counters/reset", None).await;
    }

    /// These faults and no others.
    pub(crate) async fn fault(&self, faults: Value) {
        let () = self.ask(Method::PUT, "/sim/faults", Some(faults)).await;
    }

    /// No more faults; what was held is let go.
    pub(crate) async fn heal(&self) {
        self.fault(json!([])).await;
    }

    /// Waits until a request is held back by a fault.
    pub(crate) async fn has_bitten(&self, kind: &str) {
        let what = format!("the fault {kind:?} bites");
        eventually(&what, async || self.counters().await.faults.contains_key(kind)).await;
    }

    /// New killmails with all these characters in each; their ids.
    pub(crate) async fn fight(&self, character_ids: &[i64], count: u32) -> Vec<i64> {
        let fights = json!({ "character_ids": character_ids, "count": count });
        self.ask(Method::POST, "/sim/killmails", Some(fights)).await
    }

    /// All refresh tokens of the character are refused from now on.
    pub(crate) async fn revoke(&self, character_id: i64) {
        let _: Value = self.ask(Method::POST, &format!("/sim/characters/{character_id}/revoke"), None).await;
    }

    /// Other settings of SSO from now on, for those that are named.
    pub(crate) async fn set_sso(&self, settings: &Value) {
        let _: Value = self.ask(Method::PATCH, "/sim/sso", Some(settings.clone())).await;
    }

    /// As if so much time had passed for all logins and their refresh tokens.
    pub(crate) async fn age_logins(&self, seconds: u32) {
        let () = self.ask(Method::POST, "/sim/refresh-tokens/age", Some(json!({ "seconds": seconds }))).await;
    }

    /// By character, the refresh tokens that would be taken now.
    pub(crate) async fn live_refresh_tokens(&self) -> BTreeMap<i64, BTreeSet<String>> {
        let lines: Vec<LiveTokens> = self.ask(Method::GET, "/sim/refresh-tokens", None).await;
        lines.into_iter().map(|line| (line.character_id, line.refresh_tokens)).collect()
    }

    /// What the next access tokens of a character say of it: `name`, `owner`, `scopes`; and where it is from now on:
    /// `corporation_id`, `is_director`.
    pub(crate) async fn change(&self, character_id: i64, changes: &Value) {
        let () = self.ask(Method::PATCH, &format!("/sim/characters/{character_id}"), Some(changes.clone())).await;
    }

    /// A further refresh token.
    pub(crate) async fn login(&self, character_id: i64) -> String {
        self.log_in(character_id, None).await
    }

    /// A further refresh token that allows these scopes only.
    pub(crate) async fn login_for(&self, character_id: i64, scopes: &[&str]) -> String {
        self.log_in(character_id, Some(json!({ "scopes": scopes }))).await
    }

    async fn log_in(&self, character_id: i64, body: Option<Value>) -> String {
        let answer: Value = self.ask(Method::POST, &format!("/sim/characters/{character_id}/login"), body).await;
        answer["refresh_token"].as_str().expect("a login gives a token").to_owned()
    }
}

impl Counters {
    /// Requests to one route.
    pub(crate) fn requests_to(&self, route: &str) -> u64 {
        self.requests.get(route).copied().unwrap_or_default()
    }

    pub(crate) fn answers_with(&self, status: u16) -> u64 {
        self.responses.get(&status).copied().unwrap_or_default()
    }
}
