//! The two keys that sign access tokens, and the key set that SSO publishes.
//!
//! The keys are made for this simulator, are public with it and protect nothing. They are fixed so that a restart of
//! the simulator does not make a client's cached key set useless.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use serde_json::json;

use super::sso_settings::Algorithm;

/// `kid` of the RSA key (CCP's name for it). CCP writes it into a claim too, whatever key has signed.
pub const RSA_KEY_ID: &str = "JWT-Signature-Key";
const EC_KEY_ID: &str = "2435ef0f-cee6-4faa-81bf-662e7f1ab6aa";

const RSA_KEY: &[u8] = include_bytes!("../../fixtures/test-signing-key.pk8");
const EC_KEY: &[u8] = include_bytes!("../../fixtures/test-signing-key-es256.pk8");

/// The keys.
pub struct SigningKeys {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

impl SigningKeys {
    /// Reads the keys that are part of the crate.
    #[must_use]
    pub fn fixed() -> Self {
        let rsa = RsaKeyPair::from_pkcs8(RSA_KEY).expect("the key is part of the crate and is tested");
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, EC_KEY, &SystemRandom::new())
            .expect("the key is part of the crate and is tested");
        Self { rsa, ec }
    }

    /// Signs claims: a compact JWT.
    #[must_use]
    pub fn sign(&self, algorithm: Algorithm, claims: &str) -> String {
        self.sign_as(algorithm, key_id(algorithm), claims)
    }

    /// The same, by a key that calls itself as said.
    #[must_use]
    pub fn sign_as(&self, algorithm: Algorithm, key_id: &str, claims: &str) -> String {
        let message = message(algorithm.name(), key_id, claims);
        let signature = match algorithm {
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa
                    .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
                    .expect("the key has 2048 bits and the buffer has the length of its modulus");
                signature
            }
            Algorithm::Es256 => {
                let signature = self.ec.sign(&SystemRandom::new(), message.as_bytes());
                signature.expect("the system has chance to give").as_ref().to_vec()
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims of a token that one of these keys signed; `None` for anything else.
    #[must_use]
    pub fn open(&self, token: &str) -> Option<String> {
        let (message, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let by_rsa = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.rsa.public_key());
        let by_ec = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.ec.public_key());
        let message_bytes = message.as_bytes();
        by_rsa.verify(message_bytes, &signature).or_else(|_| by_ec.verify(message_bytes, &signature)).ok()?;
        let (_, claims) = message.split_once('.')?;
        String::from_utf8(URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// The key set, in CCP's form: both keys, and a member that is no key at all.
    #[must_use]
    pub fn key_set(&self) -> String {
        let components: PublicKeyComponents<Vec<u8>> = self.rsa.public().into();
        // 0x04, then x and y of 32 bytes each.
        let (x, y) = self.ec.public_key().as_ref()[1..].split_at(32);
        json!({
            "keys": [
                {
                    "alg": "RS256", "e": URL_SAFE_NO_PAD.encode(components.e), "kid": RSA_KEY_ID, "kty": "RSA",
                    "n": URL_SAFE_NO_PAD.encode(components.n), "use": "sig",
                },
                {
                    "alg": "ES256", "crv": "P-256", "kid": EC_KEY_ID, "kty": "EC",
                    "use": "sig", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
                },
            ],
            "SkipUnresolvedJsonWebKeys": true,
        })
        .to_string()
    }
}

/// `kid` of the key for an algorithm.
#[must_use]
pub fn key_id(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Rs256 => RSA_KEY_ID,
        Algorithm::Es256 => EC_KEY_ID,
    }
}

/// Head and claims of a JWT, without a signature.
#[must_use]
pub fn message(algorithm: &str, key_id: &str, claims: &str) -> String {
    let head = format!(r#"{{"alg":"{algorithm}","kid":"{key_id}","typ":"JWT"}}"#);
    format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_signed_and_nothing_else() {
        let keys = SigningKeys::fixed();
        for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
            let token = keys.sign(algorithm, r#"{"sub":"x"}"#);
            assert_eq!(keys.open(&token).as_deref(), Some(r#"{"sub":"x"}"#), "{algorithm:?}");
            let (head, rest) = token.split_once('.').unwrap();
            let (_, signature) = rest.split_once('.').unwrap();
            let forged = format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(r#"{"sub":"y"}"#));
            assert_eq!(keys.open(&forged), None);
        }
        assert_eq!(keys.open("nonsense"), None);
        assert_eq!(keys.open(&format!("{}.", message("none", RSA_KEY_ID, "{}"))), None);
    }
}
