//! A pilot signs in: the address to send the browser to, and what the answer that it brings back must match.
//!
//! The `state` ties the answer to this sign-in; without a secret, PKCE (RFC 7636, S256) ties the code to this process.
//! Chance comes in as an argument.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Failure;
use ring::digest;
use secrecy::SecretString;
use thiserror::Error;
use url::{Url, form_urlencoded};

use super::refresh_error::RefreshError;
use crate::http::redact::bounded;

/// What a sign-in begins with.
pub struct SignInRequest<'a> {
    /// Exactly as it is registered with the application.
    pub redirect_url: &'a Url,
    pub scopes: &'a [String],
    /// Two values that nobody can guess.
    pub chance: [[u8; 32]; 2],
}

/// A sign-in that is under way.
#[derive(Debug)]
pub struct SignIn {
    /// Where the pilot signs in.
    pub url: Url,
    pub(super) redirect_url: Url,
    state: String,
    /// For a client without a secret only.
    pub(super) code_verifier: Option<SecretString>,
}

/// Why an answer brings no code. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallbackError {
    /// It answers another sign-in, or none: ours may still be answered.
    #[error("it does not belong to this login: its state is not the one that was sent")]
    WrongState,
    #[error("EVE SSO did not sign in: {code}: {description}")]
    Refused {
        /// Of OAuth, such as `access_denied`.
        code: String,
        description: String,
    },
    #[error("it holds no code")]
    NoCode,
}

/// Why a code was not exchanged for tokens.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", in_words(.0))]
pub struct CodeError(pub(super) RefreshError);

impl SignIn {
    pub(super) fn begin(authorize_url: Url, client_id: &str, has_secret: bool, request: &SignInRequest<'_>) -> Self {
        let [state, verifier] = request.chance.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let mut url = authorize_url;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", request.redirect_url.as_str())
            .append_pair("scope", &request.scopes.join(" "))
            .append_pair("state", &state);
        if !has_secret {
            let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
            url.query_pairs_mut()
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256");
        }
        let code_verifier = (!has_secret).then(|| SecretString::from(verifier));
        Self { url, redirect_url: request.redirect_url.clone(), state, code_verifier }
    }

    /// The code in the query with which the browser came back.
    ///
    /// # Errors
    /// [`CallbackError::WrongState`] before anything else of it is believed.
    pub fn code(&self, query: &str) -> Result<SecretString, CallbackError> {
        let mut members: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if members.get("state") != Some(&self.state) {
            return Err(CallbackError::WrongState);
        }
        if let Some(code) = members.get("error") {
            let description = members.get("error_description").map_or("no reason given", String::as_str);
            return Err(CallbackError::Refused { code: bounded(code), description: bounded(description) });
        }
        let code = members.remove("code").filter(|code| !code.is_empty()).ok_or(CallbackError::NoCode)?;
        Ok(SecretString::from(code))
    }
}

impl CodeError {
    /// In the form that a process reports.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::is(self.0.failure().class, self.to_string())
    }
}

fn in_words(error: &RefreshError) -> String {
    match error {
        RefreshError::Refused { status, code, description, .. } => {
            format!("EVE SSO refused the login: {status} {code}: {description}")
        }
        RefreshError::Transient { trouble, .. } => format!("EVE SSO could not finish the login: {trouble}"),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn begin(has_secret: bool) -> SignIn {
        let redirect_url = Url::parse("http://127.0.0.1:8721/callback").unwrap();
        let scopes = ["esi-killmails.read_killmails.v1".to_owned(), "publicData".to_owned()];
        // The code verifier of RFC 7636, appendix B, as its 32 bytes.
        let verifier = URL_SAFE_NO_PAD.decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let chance = [[0xfb; 32], verifier.try_into().unwrap()];
        let request = SignInRequest { redirect_url: &redirect_url, scopes: &scopes, chance };
        SignIn::begin(Url::parse("https://login.example/v2/oauth/authorize").unwrap(), "client", has_secret, &request)
    }

    #[test]
    fn the_address_holds_what_a_provider_asks_for() {
        let with_secret = begin(true);
        assert_eq!(
            with_secret.url.as_str(),
            "https://login.example/v2/oauth/authorize?response_type=code&client_id=client\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A8721%2Fcallback&scope=esi-killmails.read_killmails.v1+publicData\
             &state=-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s"
        );
        assert!(with_secret.code_verifier.is_none());
    }

    #[test]
    fn without_a_secret_the_code_is_bound_as_in_rfc_7636() {
        let native = begin(false);
        let end = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        assert!(native.url.as_str().ends_with(end), "{}", native.url);
        let verifier = native.code_verifier.as_ref().unwrap().expose_secret();
        assert_eq!(verifier, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert!(!format!("{native:?}").contains(verifier));
    }

    #[test]
    fn table_of_callbacks() {
        let sign_in = begin(true);
        let state = &sign_in.state;
        let refused = |code: &str, description: &str| {
            Err(CallbackError::Refused { code: code.to_owned(), description: description.to_owned() })
        };
        let cases = [
            (format!("code=a%2Bb%2Fc%3D&state={state}"), Ok("a+b/c=".to_owned())),
            (format!("state={state}&code=x&iss=whoever"), Ok("x".to_owned())),
            ("code=x".to_owned(), Err(CallbackError::WrongState)),
            ("code=x&state=".to_owned(), Err(CallbackError::WrongState)),
            (format!("code=x&state={state}x"), Err(CallbackError::WrongState)),
            ("error=access_denied&state=other".to_owned(), Err(CallbackError::WrongState)),
            (format!("error=access_denied&state={state}"), refused("access_denied", "no reason given")),
            (format!("error=x&error_description=a%0Ab&state={state}&code=y"), refused("x", "a b")),
            (format!("state={state}"), Err(CallbackError::NoCode)),
            (format!("code=&state={state}"), Err(CallbackError::NoCode)),
            (String::new(), Err(CallbackError::WrongState)),
        ];
        for (query, expected) in cases {
            let found = sign_in.code(&query).map(|code| code.expose_secret().to_owned());
            assert_eq!(found, expected, "{query}");
        }
    }
}
