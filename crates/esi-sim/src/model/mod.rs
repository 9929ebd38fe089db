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
pub mod real_killmails;
pub mod refresh_tokens;
pub mod request;
pub mod settings;
pub mod signing_key;
mod spoil;
mod sso;
mod steering;
#[cfg(test)]
mod tests;
pub mod world;

use std::fmt;

use rand::SeedableRng;
use rand::rngs::StdRng;

use access_token::LIST_SCOPE;
use buckets::Buckets;
use counters::Counters;
use error_limit::ErrorLimit;
use fault_board::FaultBoard;
use ids::CharacterId;
use list_cache::ListCache;
use refresh_tokens::RefreshTokens;
use signing_key::SigningKey;
use world::{World, WorldSize};

pub use answer::{Answer, Delivery};
pub use request::{Call, Request, Route};
pub use settings::Settings;

/// The scope of corporations' lists. Some characters grant it too, so that both forms of the claim `scp` occur.
const CORPORATION_SCOPE: &str = "esi-killmails.read_corporation_killmails.v1";

/// The simulated services.
pub struct Model {
    settings: Settings,
    chance: StdRng,
    world: World,
    signing_key: SigningKey,
    refresh_tokens: RefreshTokens,
    lists: ListCache,
    buckets: Buckets,
    error_limit: ErrorLimit,
    faults: FaultBoard,
    counters: Counters,
    token_calls_in_flight: u32,
}

impl Model {
    /// Makes the world of a seed and lets every character of it sign in once.
    #[must_use]
    pub fn begin(settings: Settings, seed: u64, size: WorldSize) -> Self {
        let world = World::generate(seed, size);
        // Another stream of chance than the world's: what happens later must not depend on how large the world is.
        let mut chance = StdRng::seed_from_u64(seed ^ 0x5350_4143_4553_4849);
        let mut refresh_tokens = RefreshTokens::default();
        for (index, character) in world.characters().enumerate() {
            let character_id: CharacterId = character.character_id;
            if index == 0 {
                refresh_tokens.issue_hard_to_encode(&mut chance, character_id, &scopes_of(index));
            } else {
                refresh_tokens.issue(&mut chance, character_id, &scopes_of(index));
            }
        }
        Self {
            lists: ListCache::empty(settings.list_ttl_seconds),
            buckets: Buckets::full(settings.window_seconds),
            error_limit: ErrorLimit::untouched(settings.error_limit_window_seconds),
            signing_key: SigningKey::fixed(),
            faults: FaultBoard::default(),
            counters: Counters::default(),
            token_calls_in_flight: 0,
            settings,
            chance,
            world,
            refresh_tokens,
        }
    }
}

/// One scope for most characters, two for every fifth.
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
