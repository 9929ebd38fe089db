//! The claims of an access token as EVE SSO writes them, read without judging them.

use serde::Deserialize;

use super::identity::IdentityError;

/// Unknown claims are passed over.
#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    #[serde(default)]
    pub(super) aud: OneOrMany,
    pub(super) exp: f64,
    pub(super) name: Option<String>,
    pub(super) owner: Option<String>,
    #[serde(default)]
    pub(super) scp: OneOrMany,
}

/// EVE SSO writes one scope as a text, several as a list, and none not at all.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Only decodes: the signature and the claims are judged in [`super::identity`], with the caller's time.
pub(super) fn read(token: &str) -> Result<Claims, IdentityError> {
    jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| IdentityError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_none_one_or_many() {
        for (json, expected) in [("null", vec![]), (r#""a""#, vec!["a"]), (r#"["a","b"]"#, vec!["a", "b"])] {
            let scopes: OneOrMany = serde_json::from_str(json).unwrap();
            assert_eq!(scopes.as_slice(), expected, "{json}");
        }
    }
}
