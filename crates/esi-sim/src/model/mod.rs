//! ESI and EVE SSO as one state model.
//!
//! The rule: pure. Time comes in with each call, chance comes from a seed, and nothing here knows HTTP, a socket or a
//! clock. So a test can let 15 minutes pass in no time.
//!
//! Where to go next: [`exchange`] takes a request from its arrival to its answer; `esi` and `sso` know the right
//! answers; [`buckets`], [`error_limit`] and [`list_cache`] hold what ESI remembers of its callers; [`fault`] is what
//! goes wrong on purpose; [`world`] is what there is to see.

pub mod access_token;
pub mod answer;
pub mod buckets;
pub mod character;
pub mod codes;
pub mod counters;
pub mod error_limit;
mod esi;
pub mod exchange;
pub mod fault;
pub mod fault_board;
pub mod floating_window;
mod generator;
pub mod http_date;
pub mod ids;
pub mod killmail;
pub mod list_cache;
pub mod list_owner;
pub mod logins;
pub mod real_killmails;
pub mod request;
pub mod settings;
pub mod signing_keys;
mod spoil;
mod sso;
pub mod sso_settings;
pub mod steering;
#[cfg(test)]
mod tests;
pub mod world;

use std::fmt;

use chrono::{DateTime, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;

use access_token::{CORPORATION_SCOPE, LIST_SCOPE};
use buckets::Buckets;
use codes::Codes;
use counters::Counters;
use error_limit::ErrorLimit;
use fault_board::FaultBoard;
use list_cache::ListCache;
use logins::{Login, Logins};
use signing_keys::SigningKeys;
use steering::Choice;
use world::{World, WorldSize};

pub use answer::{Answer, Delivery};
pub use request::{Call, Request, Route};
pub use settings::Settings;

/// The simulated services.
pub struct Model {
    settings: Settings,
    chance: StdRng,
    world: World,
    signing_keys: SigningKeys,
    logins: Logins,
    codes: Codes,
    /// What users do on the authorize page; without it they are asked.
    choice: Option<Choice>,
    lists: ListCache,
    buckets: Buckets,
    error_limit: ErrorLimit,
    faults: FaultBoard,
    counters: Counters,
    token_calls_in_flight: u32,
    affiliation_calls_in_flight: u32,
}

impl Model {
    /// Makes the world of a seed and lets every character of it sign in once.
    #[must_use]
    pub fn begin(now: DateTime<Utc>, settings: Settings, seed: u64, size: WorldSize) -> Self {
        let world = World::generate(seed, size);
        // Another stream of chance than the world's: what happens later must not depend on how large the world is.
        let mut chance = StdRng::seed_from_u64(seed ^ 0x5350_4143_4553_4849);
        let mut logins = Logins::default();
        for (index, character) in world.characters().enumerate() {
            let login_id = logins.begin(Login::with_secret(now, character.character_id, scopes_of(index)));
            if index == 0 {
                logins.issue_hard_to_encode(&mut chance, now, login_id);
            } else {
                logins.issue(&mut chance, now, login_id);
            }
        }
        Self {
            lists: ListCache::empty(settings.list_ttl_seconds),
            buckets: Buckets::full(settings.window_seconds),
            error_limit: ErrorLimit::untouched(settings.error_limit_window_seconds),
            signing_keys: SigningKeys::fixed(),
            codes: Codes::default(),
            choice: None,
            faults: FaultBoard::default(),
            counters: Counters::default(),
            token_calls_in_flight: 0,
            affiliation_calls_in_flight: 0,
            settings,
            chance,
            world,
            logins,
        }
    }
}

/// One scope for most characters, two for every fifth, so that both forms of the claim `scp` occur.
fn scopes_of(index: usize) -> Vec<String> {
    let scopes: &[&str] = if index % 5 == 4 { &[LIST_SCOPE, CORPORATION_SCOPE] } else { &[LIST_SCOPE] };
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

impl fmt::Debug for Model {
    /// Without tokens, secrets and keys.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Model").field("counters", &self.counters).finish_non_exhaustive()
    }
}
