//! What the simulator counts, so that a test can say "the fleet behaved".
//!
//! The rule: a request is counted when it arrives, whatever fault meets it; an answer when it is given. The names of
//! the members are a contract with tests and scripts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ids::{CharacterId, CorporationId, KillmailId};
use super::request::Route;

/// All counters.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Counters {
    /// Requests by route.
    pub requests: Requests,
    /// Answers by status; those of which nothing arrived are not among them.
    pub responses: BTreeMap<u16, u64>,
    /// Rate-limit tokens by group.
    pub tokens_spent: BTreeMap<&'static str, u64>,
    /// Their sum.
    pub tokens_spent_total: u64,
    /// Pages of lists that were asked for before their last `Expires`.
    pub requests_before_expiry: u64,
    /// Requests to ESI while the caller's errors were spent: answers 420.
    pub requests_while_error_limited: u64,
    /// The most token calls that were in flight at one moment, delays by faults included.
    pub parallel_token_calls_max: u32,
    /// The same of affiliation calls.
    pub parallel_affiliation_calls_max: u32,
    /// Token calls by the character of the refresh token; unknown tokens are not among them.
    pub token_calls_by_character: BTreeMap<CharacterId, u64>,
    /// List calls by the character in the path.
    pub list_calls_by_character: BTreeMap<CharacterId, u64>,
    /// List calls by the corporation in the path.
    pub corporation_list_calls_by_corporation: BTreeMap<CorporationId, u64>,
    /// Detail calls by the killmail in the path.
    pub detail_calls_by_killmail: BTreeMap<KillmailId, u64>,
    /// Requests that did not say who they are.
    pub missing_user_agent: u64,
    /// Requests to a spent bucket: answers 429, those by faults not counted.
    pub budget_overdrawn: u64,
    /// Faults that bit, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// Requests by route.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Requests {
    /// SSO's token route.
    pub token: u64,
    /// Lists of characters.
    pub list: u64,
    /// Lists of corporations.
    pub corporation_list: u64,
    /// In which corporations characters are.
    pub affiliation: u64,
    /// Details.
    pub detail: u64,
    /// `/status`.
    pub status: u64,
    /// SSO's authorize page.
    pub authorize: u64,
    /// SSO's revocation route.
    pub revoke: u64,
    /// The validation route.
    pub validate: u64,
    /// SSO's key set.
    pub jwks: u64,
    /// SSO's discovery document.
    pub discovery: u64,
    /// Paths that nobody serves.
    pub unknown: u64,
}

impl Requests {
    /// Counts one.
    pub fn count(&mut self, route: Route) {
        let counter = match route {
            Route::Token => &mut self.token,
            Route::List => &mut self.list,
            Route::CorporationList => &mut self.corporation_list,
            Route::Affiliation => &mut self.affiliation,
            Route::Detail => &mut self.detail,
            Route::Status => &mut self.status,
            Route::Authorize => &mut self.authorize,
            Route::Revoke => &mut self.revoke,
            Route::Validate => &mut self.validate,
            Route::Jwks => &mut self.jwks,
            Route::Discovery => &mut self.discovery,
            Route::UnknownEsi | Route::UnknownSso => &mut self.unknown,
        };
        *counter += 1;
    }
}

impl Counters {
    /// Counts what an answer cost.
    pub fn spend(&mut self, group: &'static str, tokens: u32) {
        *self.tokens_spent.entry(group).or_default() += u64::from(tokens);
        self.tokens_spent_total += u64::from(tokens);
    }
}
