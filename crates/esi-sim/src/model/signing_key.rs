//! The RSA key that signs access tokens, and the key set that SSO publishes.
//!
//! The key is made for this simulator, is public with it and protects nothing. It is fixed so that a restart of the
//! simulator does not make a client's cached key set useless.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;

/// `kid` of the key that signs (CCP's name for it).
pub const KEY_ID: &str = "JWT-Signature-Key";

const PRIVATE_KEY: &[u8] = include_bytes!("../../fixtures/test-signing-key.pk8");

/// The key.
pub struct SigningKey {
    pair: RsaKeyPair,
}

impl SigningKey {
    /// Reads the key that is part of the crate.
    #[must_use]
    pub fn fixed() -> Self {
        let pair = RsaKeyPair::from_pkcs8(PRIVATE_KEY).expect("the key is part of the crate and is tested");
        Self { pair }
    }

    /// Signs claims: a compact JWT with RS256.
    #[must_use]
    pub fn sign(&self, claims: &str) -> String {
        let head = format!(r#"{{"alg":"RS256","kid":"{KEY_ID}","typ":"JWT"}}"#);
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("the key has 2048 bits and the buffer has the length of its modulus");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims of a token that this key signed; `None` for anything else.
    #[must_use]
    pub fn open(&self, token: &str) -> Option<String> {
        let (message, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = ring::signature::UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key());
        public.verify(message.as_bytes(), &signature).ok()?;
        let (_, claims) = message.split_once('.')?;
        String::from_utf8(URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// The key set, in CCP's form: the RSA key, an EC key that signs nothing yet, and a member that is no key at all.
    #[must_use]
    pub fn key_set(&self) -> String {
        let components: PublicKeyComponents<Vec<u8>> = self.pair.public().into();
        json!({
            "keys": [
                {
                    "alg": "RS256", "e": URL_SAFE_NO_PAD.encode(components.e), "kid": KEY_ID, "kty": "RSA",
                    "n": URL_SAFE_NO_PAD.encode(components.n), "use": "sig",
                },
                {
                    "alg": "ES256", "crv": "P-256", "kid": "2435ef0f-cee6-4faa-81bf-662e7f1ab6aa", "kty": "EC",
                    "use": "sig", "x": "MhuyaEmMi0e7ZeTesfnz2p5nAClgZ20CxyYUmgoF6V4",
                    "y": "6u5me2UYJfrTKM6XBjgdbQEmEhpDeQdOX_0owoCpjmY",
                },
            ],
            "SkipUnresolvedJsonWebKeys": true,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_signed_and_nothing_else() {
        let key = SigningKey::fixed();
        let token = key.sign(r#"{"sub":"x"}"#);
        assert_eq!(key.open(&token).as_deref(), Some(r#"{"sub":"x"}"#));
        let (head, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let forged = format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(r#"{"sub":"y"}"#));
        assert_eq!(key.open(&forged), None);
        assert_eq!(key.open("nonsense"), None);
    }
}
