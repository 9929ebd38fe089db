//! Whose access token it is: signature by `kid` and algorithm, issuer, audience, end, subject.

use chrono::{DateTime, Utc};
use domain::CharacterId;
use jsonwebtoken::{Algorithm, crypto, decode_header};
use thiserror::Error;

use super::claims::Claims;
use super::discovery::Discovery;
use super::keys::{FoundKey, KeyCache, Lookup};
use crate::http::Http;
use crate::http::redact::bounded;

/// CCP's documents name all three.
const ISSUERS: [&str; 3] = ["login.eveonline.com", "https://login.eveonline.com", "https://login.eveonline.com/"];
/// Stands in `aud` beside the id of the client.
const AUDIENCE: &str = "EVE Online";
const SUBJECT_PREFIX: &str = "CHARACTER:EVE:";
/// Clocks may differ by this.
const SKEW_SECONDS: f64 = 60.0;

/// What a token says of its character. The caller compares it with the character that it meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub character_id: CharacterId,
    pub character_name: Option<String>,
    /// Changes when the character moves to another account.
    pub owner_hash: Option<String>,
    pub scopes: Vec<String>,
    pub signature: SignatureCheck,
}

/// The claims are checked in both cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureCheck {
    Verified,
    /// The key set was not to be had. The token came over TLS in answer to our own request, so it is taken all the
    /// same: an outage of the key set must not fail refreshes.
    NotChecked {
        why: String,
    },
}

/// Why a token is not what it should be. Asking again with the same token changes nothing, except for
/// [`IdentityError::UnknownKey`] and [`IdentityError::Signature`] while EVE SSO changes its keys: for less than
/// [`crate::TimeLimits::metadata_pause`] we may have the set of before, and may not ask again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentityError {
    #[error("the access token is not a JWT with the claims of EVE SSO")]
    Malformed,
    #[error("the access token is signed by {found}, only RS256 and ES256 are accepted")]
    Algorithm { found: String },
    #[error("the access token is signed by a key that EVE SSO does not publish")]
    UnknownKey,
    #[error("the signature of the access token is wrong")]
    Signature,
    #[error("the access token was issued by {found}, not by EVE SSO")]
    Issuer { found: String },
    #[error("the access token was issued to another application")]
    Audience,
    #[error("the access token has expired")]
    Expired,
    #[error("the access token does not name a character")]
    Subject,
}

pub(super) async fn check_signature(
    token: &str,
    keys: &KeyCache,
    http: &Http,
    discovery: &Discovery,
) -> Result<SignatureCheck, IdentityError> {
    let header = decode_header(token).map_err(|_| IdentityError::Malformed)?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(IdentityError::Algorithm { found: format!("{:?}", header.alg) });
    }
    let kid = header.kid.ok_or(IdentityError::UnknownKey)?;
    let (message, signature) = token.rsplit_once('.').ok_or(IdentityError::Malformed)?;
    let fits =
        |found: &FoundKey| crypto::verify(signature, message.as_bytes(), &found.key, header.alg).unwrap_or(false);
    let find = async |instead_of| keys.find(http, discovery, &kid, header.alg, instead_of).await;
    match find(None).await {
        Lookup::Unknown => Err(IdentityError::UnknownKey),
        Lookup::Unavailable(why) => Ok(SignatureCheck::NotChecked { why }),
        Lookup::Found(known) if fits(&known) => Ok(SignatureCheck::Verified),
        // A signature that fits no key of this name is wrong, also when a newer key is not to be had: otherwise an
        // outage of the key set would let every forgery pass.
        Lookup::Found(known) => match find(Some(&known)).await {
            Lookup::Found(newer) if fits(&newer) => Ok(SignatureCheck::Verified),
            Lookup::Found(_) | Lookup::Unknown | Lookup::Unavailable(_) => Err(IdentityError::Signature),
        },
    }
}

pub(super) fn from_claims(
    claims: &Claims,
    client_id: &str,
    now: DateTime<Utc>,
    signature: SignatureCheck,
) -> Result<Identity, IdentityError> {
    if !ISSUERS.contains(&claims.iss.as_str()) {
        return Err(IdentityError::Issuer { found: bounded(&claims.iss) });
    }
    let is_for = |audience: &str| claims.aud.as_slice().iter().any(|found| found == audience);
    if !is_for(client_id) || !is_for(AUDIENCE) {
        return Err(IdentityError::Audience);
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds of our era are far below 2^53")]
    let now_seconds = now.timestamp() as f64;
    // Written so that a NaN counts as expired.
    let still_lives = claims.exp + SKEW_SECONDS > now_seconds;
    if !still_lives {
        return Err(IdentityError::Expired);
    }
    let character_id = claims.sub.strip_prefix(SUBJECT_PREFIX).and_then(|id| id.parse().ok());
    let character_id = character_id.and_then(|id| CharacterId::parse(id).ok()).ok_or(IdentityError::Subject)?;
    Ok(Identity {
        character_id,
        character_name: claims.name.clone(),
        owner_hash: claims.owner.clone(),
        scopes: claims.scp.as_slice().to_vec(),
        signature,
    })
}

#[cfg(test)]
mod tests {
    use super::super::claims::OneOrMany;
    use super::*;

    const EXP: i64 = 1_795_000_000;

    fn claims() -> Claims {
        Claims {
            iss: "https://login.eveonline.com".to_owned(),
            sub: "CHARACTER:EVE:90000001".to_owned(),
            aud: OneOrMany::Many(vec!["client".to_owned(), AUDIENCE.to_owned()]),
            exp: 1_795_000_000.0,
            name: Some("Some Bloke".to_owned()),
            owner: Some("8PmzCeTKb4VFUDrHLc/AeZXDSWM=".to_owned()),
            scp: OneOrMany::One("esi-killmails.read_killmails.v1".to_owned()),
        }
    }

    fn judge(claims: &Claims, seconds_after_end: i64) -> Result<Identity, IdentityError> {
        let now = DateTime::from_timestamp(EXP + seconds_after_end, 0).unwrap();
        from_claims(claims, "client", now, SignatureCheck::Verified)
    }

    #[test]
    fn good_claims_are_an_identity() {
        let identity = judge(&claims(), -1199).unwrap();
        assert_eq!(identity.character_id.get(), 90_000_001);
        assert_eq!(identity.scopes, ["esi-killmails.read_killmails.v1"]);
        for issuer in ISSUERS {
            assert!(judge(&Claims { iss: issuer.to_owned(), ..claims() }, 0).is_ok());
        }
        assert!(judge(&Claims { scp: OneOrMany::None, ..claims() }, 59).unwrap().scopes.is_empty());
    }

    #[test]
    fn table_of_wrong_claims() {
        let audience = |names: &[&str]| Claims {
            aud: OneOrMany::Many(names.iter().map(|&name| name.to_owned()).collect()),
            ..claims()
        };
        let subject = |text: &str| Claims { sub: text.to_owned(), ..claims() };
        let issuer = |text: &str| Claims { iss: text.to_owned(), ..claims() };
        let from = |text: &str| IdentityError::Issuer { found: text.to_owned() };
        let cases = [
            (claims(), 60, IdentityError::Expired),
            (Claims { exp: f64::NAN, ..claims() }, 0, IdentityError::Expired),
            (issuer("logineveonline.com"), 0, from("logineveonline.com")),
            (issuer("https://login.eveonline.com.example.org"), 0, from("https://login.eveonline.com.example.org")),
            (audience(&["client"]), 0, IdentityError::Audience),
            (audience(&["EVE Online"]), 0, IdentityError::Audience),
            (audience(&["other", "EVE Online"]), 0, IdentityError::Audience),
            (Claims { aud: OneOrMany::None, ..claims() }, 0, IdentityError::Audience),
            (subject("CHARACTER:EVE:0"), 0, IdentityError::Subject),
            (subject("CHARACTER:EVE:"), 0, IdentityError::Subject),
            (subject("CORPORATION:EVE:1"), 0, IdentityError::Subject),
            (subject("90000001"), 0, IdentityError::Subject),
        ];
        for (claims, seconds_after_end, expected) in cases {
            assert_eq!(judge(&claims, seconds_after_end), Err(expected), "{claims:?}");
        }
    }
}
