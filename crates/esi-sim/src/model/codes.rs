//! Authorization codes: given out by the authorize page, exchanged once at the token route.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use rand::rngs::StdRng;

use super::ids::CharacterId;

/// CCP's documentation: five minutes.
const LIFE: TimeDelta = TimeDelta::minutes(5);

/// What the user has agreed to.
#[derive(Debug, Clone)]
pub struct Agreement {
    /// Who.
    pub character_id: CharacterId,
    /// To what.
    pub scopes: Vec<String>,
    /// Of PKCE: the verifier must hash to it.
    pub challenge: Option<String>,
    /// When.
    pub agreed_at: DateTime<Utc>,
}

/// The codes that nobody has shown yet. No `Debug`: they are its keys.
#[derive(Default)]
pub struct Codes(HashMap<String, Agreement>);

impl Codes {
    /// A code for an agreement.
    pub fn issue(&mut self, chance: &mut StdRng, agreement: Agreement) -> String {
        let code = URL_SAFE_NO_PAD.encode(chance.random::<[u8; 16]>());
        self.0.insert(code.clone(), agreement);
        code
    }

    /// What a code stands for. It is worth nothing afterwards, whatever becomes of the exchange.
    pub fn redeem(&mut self, now: DateTime<Utc>, code: &str) -> Option<Agreement> {
        self.0.remove(code).filter(|agreement| now - agreement.agreed_at < LIFE)
    }
}
