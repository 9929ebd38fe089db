//! The keys with which EVE SSO signs: fetched when a token names one that we do not have or does not fit the one that we
//! have, by one caller at a time, and never more often than [`crate::TimeLimits::metadata_pause`].

use std::collections::HashMap;

use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::warn;

use super::discovery::Discovery;
use crate::http::Http;

/// Keys by the two things that a token's header names: a key is never used with another algorithm than its own.
type KeySet = HashMap<(String, Algorithm), DecodingKey>;

#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    /// Held across the request, so that one asks and the others wait for what it learns.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: KeySet,
    /// Of `keys`: how many sets we have had.
    edition: u32,
    last_fetch: Option<Fetch>,
}

#[derive(Debug)]
struct Fetch {
    at: Instant,
    failed: Option<String>,
}

/// What is known of a key.
pub(super) enum Lookup {
    Found(FoundKey),
    /// EVE SSO's present key set does not hold it.
    Unknown,
    /// The present key set is not to be had.
    Unavailable(String),
}

pub(super) struct FoundKey {
    pub(super) key: DecodingKey,
    edition: u32,
}

impl State {
    fn find(&self, name: &(String, Algorithm), instead_of: Option<&FoundKey>) -> Option<Lookup> {
        if instead_of.is_some_and(|key| key.edition == self.edition) {
            return None;
        }
        let key = self.keys.get(name)?.clone();
        Some(Lookup::Found(FoundKey { key, edition: self.edition }))
    }
}

impl KeyCache {
    /// `instead_of` is a key that a signature does not fit: EVE SSO may have replaced it under the same name, for the
    /// name of its RSA key has been the same for years.
    pub(super) async fn find(
        &self,
        http: &Http,
        discovery: &Discovery,
        kid: &str,
        algorithm: Algorithm,
        instead_of: Option<&FoundKey>,
    ) -> Lookup {
        let mut state = self.state.lock().await;
        let name = (kid.to_owned(), algorithm);
        if let Some(found) = state.find(&name, instead_of) {
            return found;
        }
        let pause = http.limits().metadata_pause;
        if state.last_fetch.as_ref().is_none_or(|fetch| fetch.at.elapsed() >= pause) {
            let failed = match fetch(http, discovery).await {
                Ok(keys) => {
                    state.keys = keys;
                    state.edition = state.edition.wrapping_add(1);
                    None
                }
                Err(why) => {
                    warn!("EVE SSO's key set cannot be used, signatures by new keys are not checked: {why}");
                    Some(why)
                }
            };
            state.last_fetch = Some(Fetch { at: Instant::now(), failed });
        }
        match (state.find(&name, instead_of), &state.last_fetch) {
            (Some(found), _) => found,
            (None, Some(Fetch { failed: Some(why), .. })) => Lookup::Unavailable(why.clone()),
            (None, _) => Lookup::Unknown,
        }
    }
}

async fn fetch(http: &Http, discovery: &Discovery) -> Result<KeySet, String> {
    let request = http.get(discovery.jwks_url(http).await).timeout(http.limits().metadata);
    let raw = http.exchange(request).await.map_err(|no_answer| no_answer.why)?;
    if raw.status != StatusCode::OK {
        return Err(format!("it answered {}", raw.status));
    }
    let keys = parse(raw.whole_body()?);
    if keys.is_empty() { Err("it holds no key of ours".to_owned()) } else { Ok(keys) }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The members of a public key (RFC 7517, RFC 7518) that matter to RS256 and ES256.
#[derive(Deserialize)]
struct PublicKey {
    kid: String,
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// A key of a kind that we do not know is passed over: EVE SSO may add some beside those we need.
fn parse(body: &[u8]) -> KeySet {
    let Ok(Document { keys }) = serde_json::from_slice(body) else { return KeySet::new() };
    keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).filter_map(usable).collect()
}

fn usable(key: PublicKey) -> Option<((String, Algorithm), DecodingKey)> {
    if key.purpose.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let (algorithm, decoding_key) = match (key.kty.as_str(), key.alg.as_deref()) {
        ("RSA", None | Some("RS256")) => (Algorithm::RS256, DecodingKey::from_rsa_components(&key.n?, &key.e?).ok()?),
        ("EC", None | Some("ES256")) if key.crv.as_deref() == Some("P-256") => {
            (Algorithm::ES256, DecodingKey::from_ec_components(&key.x?, &key.y?).ok()?)
        }
        _ => return None,
    };
    Some(((key.kid, algorithm), decoding_key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_taken_by_kid_and_algorithm() {
        let document = r#"{"keys":[
            {"alg":"RS256","e":"AQAB","kid":"r","kty":"RSA","n":"nehP","use":"sig"},
            {"alg":"ES256","crv":"P-256","kid":"e","kty":"EC","use":"sig","x":"Patz","y":"qDb1"},
            {"alg":"RS512","e":"AQAB","kid":"other-algorithm","kty":"RSA","n":"nehP","use":"sig"},
            {"alg":"RS256","e":"AQAB","kid":"to-encrypt","kty":"RSA","n":"nehP","use":"enc"},
            {"alg":"ES256","crv":"P-384","kid":"other-curve","kty":"EC","x":"Patz","y":"qDb1"},
            {"alg":"HS256","kid":"symmetric","kty":"oct","k":"c2VjcmV0"},
            {"alg":"RS256","kid":"incomplete","kty":"RSA"},
            {"alg":"RS256","e":"AQAB","kid":"not-base64","kty":"RSA","n":"!"},
            "nonsense"
        ],"SkipUnresolvedJsonWebKeys":true}"#;
        let mut names: Vec<_> = parse(document.as_bytes()).into_keys().map(|(kid, _)| kid).collect();
        names.sort();
        assert_eq!(names, ["e", "r"]);
        for nonsense in ["", "<html>", "[]", r#"{"keys":7}"#] {
            assert!(parse(nonsense.as_bytes()).is_empty());
        }
    }

    /// Members as in a key, some of them missing or of another type.
    fn nearly_a_key() -> impl Strategy<Value = Value> {
        let words =
            ["sig", "enc", "RSA", "EC", "oct", "RS256", "ES256", "HS256", "none", "P-256", "P-384", "AQAB", "!", ""];
        let value = prop_oneof![
            4 => prop::sample::select(words.to_vec()).prop_map(Value::from),
            1 => any::<String>().prop_map(Value::from),
            1 => prop::sample::select(vec![Value::Null, Value::from(7), Value::from(vec![1])]),
        ];
        let names = prop::sample::select(vec!["kty", "alg", "use", "n", "e", "crv", "x", "y", "kid"]);
        prop::collection::btree_map(names, value, 0..9)
            .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    proptest! {
        #[test]
        fn what_else_is_in_the_set_hides_no_key_of_ours_and_brings_no_other_algorithm(
            mut others in prop::collection::vec(nearly_a_key(), 0..8),
            place in any::<prop::sample::Index>(),
        ) {
            let ours = r#"{"alg":"RS256","e":"AQAB","kid":"of EVE SSO","kty":"RSA","n":"nehP","use":"sig"}"#;
            others.insert(place.index(others.len() + 1), serde_json::from_str(ours).unwrap());
            let keys = parse(serde_json::json!({ "keys": others }).to_string().as_bytes());
            prop_assert!(keys.contains_key(&("of EVE SSO".to_owned(), Algorithm::RS256)));
            prop_assert!(keys.keys().all(|(_, algorithm)| matches!(algorithm, Algorithm::RS256 | Algorithm::ES256)));
        }

        #[test]
        fn whatever_else_comes_holds_no_key(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&bytes).is_empty());
        }
    }
}
