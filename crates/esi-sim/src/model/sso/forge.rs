//! Access tokens that are not what they should be.

use serde_json::Value;

use crate::model::fault::Signature;
use crate::model::signing_keys::{key_id, message};
use crate::model::spoil::merge;
use crate::model::{Answer, Model};

/// A key that nobody has published.
const UNKNOWN_KEY_ID: &str = "a-key-that-nobody-publishes";

impl Model {
    /// The same answer with another access token: changed claims, or another signature.
    pub(in crate::model) fn forge(&self, mut answer: Answer, claims: &Value, signature: Signature) -> Answer {
        let Ok(mut body) = serde_json::from_str::<Value>(&answer.body) else { return answer };
        if let Some(forged) = body["access_token"].as_str().and_then(|token| self.forged(token, claims, signature)) {
            body["access_token"] = Value::from(forged);
            answer.body = body.to_string();
        }
        answer
    }

    /// `None` for what is no token of ours.
    fn forged(&self, token: &str, changes: &Value, signature: Signature) -> Option<String> {
        let mut claims: Value = serde_json::from_str(&self.signing_keys.open(token)?).ok()?;
        merge(&mut claims, changes);
        let (claims, algorithm) = (claims.to_string(), self.settings.sso.algorithm);
        let signed = self.signing_keys.sign(algorithm, &claims);
        Some(match signature {
            Signature::Good => signed,
            Signature::Unsigned => format!("{}.", message("none", key_id(algorithm), &claims)),
            Signature::Wrong => {
                // It is good for the claims without the space.
                let (_, signature) = signed.rsplit_once('.')?;
                let other_message = message(algorithm.name(), key_id(algorithm), &format!("{claims} "));
                format!("{other_message}.{signature}")
            }
            Signature::UnknownKey => self.signing_keys.sign_as(algorithm, UNKNOWN_KEY_ID, &claims),
        })
    }
}
