//! How we tell the token endpoint who we are (RFC 6749, section 2.3.1).

use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};

/// EVE SSO takes all three; other providers may insist on one.
#[derive(Debug, Clone)]
pub enum ClientAuth {
    /// Client id and secret in the `Authorization` header.
    Basic(SecretString),
    /// Client id and secret in the body of the request.
    Body(SecretString),
    /// A native application, which has no secret: the client id alone, in the body. Its logins are bound by PKCE.
    None,
}

impl ClientAuth {
    pub(super) fn has_secret(&self) -> bool {
        self.secret().is_some()
    }

    pub(super) fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::Basic(secret) | Self::Body(secret) => Some(secret),
            Self::None => None,
        }
    }

    /// The request with its form, and with who we are. Form encoding matters: tokens hold `+`, `/` and `=`.
    pub(super) fn form(&self, request: RequestBuilder, client_id: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let mut form = form.to_vec();
        match self {
            Self::Basic(secret) => return request.basic_auth(client_id, Some(secret.expose_secret())).form(&form),
            Self::Body(secret) => form.extend([("client_id", client_id), ("client_secret", secret.expose_secret())]),
            Self::None => form.push(("client_id", client_id)),
        }
        request.form(&form)
    }
}
