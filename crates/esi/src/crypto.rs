//! One provider of cryptography for TLS and for JWTs: ring.
//!
//! `reqwest` and `jsonwebtoken` are built without a provider of their own, so that one does the work and no C++ build
//! comes in. The price is that it has to be named at run time: [`install_crypto`].

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature as rs;

/// Makes ring the provider of this process. Called first by every `main`; calling it again changes nothing.
pub fn install_crypto() {
    // Both answer with an error when a provider is there already, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _ = JWT_PROVIDER.install_default();
}

/// Verifies the two algorithms that EVE SSO uses or has announced. It cannot sign, and it takes no symmetric key, so
/// a public key can never be mistaken for an HMAC secret.
static JWT_PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::RS256 | Algorithm::ES256 => {
            Ok(Box::new(RingVerifier { algorithm: *algorithm, key: key.clone() }) as Box<dyn JwtVerifier>)
        }
        _ => Err(Error::from(ErrorKind::InvalidAlgorithm)),
    },
    // Only making JWKs out of keys would use these.
    key_utils: KeyUtils::new_unimplemented(),
};

struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        match (self.key.kind(), self.algorithm) {
            (DecodingKeyKind::RsaModulusExponent { n, e }, Algorithm::RS256) => {
                rs::RsaPublicKeyComponents { n, e }.verify(&rs::RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (DecodingKeyKind::SecretOrDer(point), Algorithm::ES256) => {
                rs::UnparsedPublicKey::new(&rs::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            _ => Err(ring::error::Unspecified),
        }
        .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
