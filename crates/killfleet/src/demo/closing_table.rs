//! What the demo ends with: what was stored, how long it took and what it cost.

use std::fmt;
use std::time::Duration;

use esi_sim::model::counters::Counters;
use serde::Serialize;
use store::status::FleetStatus;

#[derive(Debug, Serialize)]
pub(crate) struct ClosingTable {
    characters: i64,
    references_on_their_lists: i64,
    killmails_stored: i64,
    participants_stored: i64,
    seconds: f64,
    requests_to_esi_and_eve_sso: u64,
    esi_tokens_spent: u64,
    /// Answers with 420 or 429.
    refused_for_haste: u64,
}

impl ClosingTable {
    pub(crate) fn of(status: &FleetStatus, counters: &Counters, took: Duration) -> Self {
        let requests = &counters.requests;
        Self {
            characters: status.characters,
            references_on_their_lists: status.references_listed,
            killmails_stored: status.killmails_stored,
            participants_stored: status.participants,
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
            requests_to_esi_and_eve_sso: requests.token
                + requests.list
                + requests.detail
                + requests.status
                + requests.jwks
                + requests.discovery
                + requests.unknown,
            esi_tokens_spent: counters.tokens_spent_total,
            refused_for_haste: [420, 429].iter().filter_map(|status| counters.responses.get(status)).sum(),
        }
    }
}

impl fmt::Display for ClosingTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("characters", self.characters.to_string()),
            ("references on their lists", self.references_on_their_lists.to_string()),
            ("killmails stored", self.killmails_stored.to_string()),
            ("participants stored", self.participants_stored.to_string()),
            ("seconds", format!("{:.1}", self.seconds)),
            ("requests to ESI and EVE SSO", self.requests_to_esi_and_eve_sso.to_string()),
            ("ESI tokens spent", self.esi_tokens_spent.to_string()),
            ("refused with 420 or 429", self.refused_for_haste.to_string()),
        ];
        let rows: Vec<String> = rows.iter().map(|(name, value)| format!("  {name:<28} {value:>10}")).collect();
        formatter.write_str(&rows.join("\n"))
    }
}
