//! Access tokens: what SSO puts into them and what ESI reads from them.
//!
//! The rule: ESI believes the token alone. So an access token cannot be revoked before it expires, as in real life,
//! and it outlives a restart of the simulator.

use chrono::{DateTime, Utc};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::character::Character;
use super::ids::CharacterId;
use super::settings::Settings;
use super::signing_keys::{RSA_KEY_ID, SigningKeys};

/// The scope of the characters' lists.
pub const LIST_SCOPE: &str = "esi-killmails.read_killmails.v1";

/// The scope of the corporations' lists.
pub const CORPORATION_SCOPE: &str = "esi-killmails.read_corporation_killmails.v1";

/// What ESI takes a caller for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// No `Authorization` header.
    Absent,
    /// A header that holds no valid token: forged, expired or no bearer token at all.
    Invalid,
    /// A valid token.
    Valid(AccessToken),
}

/// The claims that ESI and SSO use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The character of the token.
    pub character_id: CharacterId,
    /// The application of the token (`azp`).
    pub client_id: String,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Its own id (`jti`).
    pub token_id: String,
    /// What is left of its life.
    pub expires_in_seconds: i64,
}

/// A token that was just made.
pub struct Issued {
    /// The token.
    pub token: String,
    /// Its id (`jti`).
    pub token_id: String,
}

/// A signed token for this character.
#[must_use]
pub fn issue(
    keys: &SigningKeys,
    chance: &mut StdRng,
    now: DateTime<Utc>,
    settings: &Settings,
    character: &Character,
    scopes: &[String],
) -> Issued {
    let issued_at = now.timestamp();
    let token_id = token_id(chance);
    let mut claims = json!({
        "jti": token_id,
        "kid": RSA_KEY_ID,
        "sub": format!("CHARACTER:EVE:{}", character.character_id),
        "azp": settings.client_id,
        "tenant": "tranquility",
        "tier": "live",
        "region": "world",
        "aud": [settings.client_id, "EVE Online"],
        "name": character.name,
        "owner": character.owner,
        // One second more than `expires_in` says, as the real SSO does it (1200 and 1199).
        "exp": issued_at + i64::from(settings.sso.expires_in_seconds) + 1,
        "iat": issued_at,
        "iss": settings.sso.issuer.claim(),
    });
    // `scp` is a string for one scope, a list for several, and absent for none.
    match scopes {
        [] => {}
        [only] => claims["scp"] = json!(only),
        several => claims["scp"] = json!(several),
    }
    Issued { token: keys.sign(settings.sso.algorithm, &claims.to_string()), token_id }
}

/// Reads an `Authorization` header as ESI does.
#[must_use]
pub fn read(keys: &SigningKeys, now: DateTime<Utc>, authorization: Option<&str>) -> Bearer {
    let Some(authorization) = authorization else {
        return Bearer::Absent;
    };
    authorization
        .strip_prefix("Bearer ")
        .and_then(|token| open(keys, now, token))
        .map_or(Bearer::Invalid, Bearer::Valid)
}

/// The claims of a token that is ours and not over.
#[must_use]
pub fn open(keys: &SigningKeys, now: DateTime<Utc>, token: &str) -> Option<AccessToken> {
    let claims = keys.open(token)?;
    valid(now, &serde_json::from_str(&claims).ok()?)
}

fn valid(now: DateTime<Utc>, claims: &Value) -> Option<AccessToken> {
    let expires_in_seconds = claims["exp"].as_i64()? - now.timestamp();
    if expires_in_seconds <= 0 {
        return None;
    }
    let character_id = claims["sub"].as_str()?.strip_prefix("CHARACTER:EVE:")?.parse().ok()?;
    let scopes = match &claims["scp"] {
        Value::String(scope) => vec![scope.clone()],
        Value::Array(scopes) => scopes.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Some(AccessToken {
        character_id: CharacterId::from_number(character_id),
        client_id: claims["azp"].as_str()?.to_owned(),
        scopes,
        token_id: claims["jti"].as_str()?.to_owned(),
        expires_in_seconds,
    })
}

/// 128 bits of chance in the form of a UUID.
fn token_id(chance: &mut StdRng) -> String {
    let digits = format!("{:032x}", chance.random::<u128>());
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}
