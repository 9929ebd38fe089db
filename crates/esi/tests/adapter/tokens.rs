//! Access tokens as EVE SSO makes them, really signed, and the key sets that belong to them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Signer {
    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(include_bytes!("../keys/rsa-2048-test-only.pk8.der")).unwrap())
    }

    pub(crate) fn ec() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self::Ec(pair)
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "alg": "RS256", "kid": kid, "kty": "RSA", "use": "sig", "n": encoded(&n), "e": encoded(&e) })
            }
            Self::Ec(pair) => {
                // 0x04, then x and y of 32 bytes each.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "alg": "ES256", "kid": kid, "kty": "EC", "use": "sig", "crv": "P-256",
                    "x": encoded(x), "y": encoded(y) })
            }
        }
    }

    pub(crate) fn token(&self, kid: &str, claims: &Value) -> String {
        self.token_with_header(&json!({ "alg": self.algorithm(), "kid": kid, "typ": "JWT" }), claims)
    }

    pub(crate) fn token_with_header(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::Ec(pair) => pair.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{message}.{}", encoded(&signature))
    }
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The end of [`claims`], in seconds since 1970.
pub(crate) const EXP: i64 = 1_795_001_200;

pub(crate) fn claims() -> Value {
    json!({ "scp": ["esi-killmails.read_killmails.v1", "publicData"], "jti": "998e12c7", "kid": "JWT-Signature-Key",
        "sub": "CHARACTER:EVE:90000001", "azp": "client", "tenant": "tranquility", "tier": "live", "region": "world",
        "aud": ["client", "EVE Online"], "name": "Some Bloke", "owner": "8PmzCeTKb4VFUDrHLc/AeZXDSWM=",
        "exp": EXP, "iat": EXP - 1200, "iss": "login.eveonline.com" })
}

/// As EVE SSO's, with its member that is none of the standard.
pub(crate) fn key_set(keys: &[Value]) -> String {
    json!({ "keys": keys, "SkipUnresolvedJsonWebKeys": true }).to_string()
}
