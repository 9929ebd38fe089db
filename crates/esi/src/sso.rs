//! EVE SSO: sign a pilot in, refresh a token, and tell whose an access token is.
//!
//! A refresh depends on the token endpoint alone. The discovery document and the key set are asked for where they
//! help, with short limits, and do without being there: their outage is never held against a login.

pub(crate) mod claims;
pub(crate) mod client_auth;
pub(crate) mod discovery;
pub(crate) mod grant;
pub(crate) mod identity;
pub(crate) mod keys;
pub(crate) mod refresh_error;
pub(crate) mod sign_in;
pub(crate) mod validate;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::address::{self, BuildError};
use crate::http::redact::Redactor;
use crate::http::{Http, NoAnswer};
use client_auth::ClientAuth;
use discovery::{Discovery, Overrides};
use grant::Grant;
use identity::{Identity, IdentityError};
use keys::KeyCache;
use refresh_error::{RefreshError, Trouble};
use sign_in::{CodeError, SignIn, SignInRequest};
use validate::{ValidateError, Validity};

/// Where EVE SSO is, and who we are to it.
#[derive(Debug, Clone)]
pub struct SsoSettings {
    /// The discovery document stands below it; in production `https://login.eveonline.com`.
    pub sso_url: Url,
    /// Instead of the `token_endpoint` of the discovery document.
    pub token_url: Option<Url>,
    /// Instead of its `jwks_uri`.
    pub jwks_url: Option<Url>,
    /// Instead of its `authorization_endpoint`.
    pub authorize_url: Option<Url>,
    /// Where it can be asked whether an access token still stands. EVE SSO has no such place.
    pub validate_url: Option<Url>,
    pub client_id: String,
    pub client_auth: ClientAuth,
}

/// EVE SSO, with what it said about itself so far. Shared behind an `Arc`.
#[derive(Debug)]
pub struct Sso {
    http: Http,
    client_id: String,
    client_auth: ClientAuth,
    discovery: Discovery,
    keys: KeyCache,
    validate_url: Option<Url>,
}

impl Sso {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// [`BuildError::Address`] for an address that no secret should be sent to, [`BuildError::ClientId`].
    pub fn build(http: Http, settings: SsoSettings) -> Result<Self, BuildError> {
        let SsoSettings { sso_url, token_url, jwks_url, authorize_url, validate_url, client_id, client_auth } =
            settings;
        let sso_url = address::configured("the EVE SSO address", sso_url)?;
        let overriding = |what, url: Option<Url>| url.map(|url| address::configured(what, url)).transpose();
        let overrides = Overrides {
            token: overriding("the token address", token_url)?,
            jwks: overriding("the key set address", jwks_url)?,
            authorize: overriding("the authorize address", authorize_url)?,
        };
        let validate_url = overriding("the validate address", validate_url)?;
        // A colon ends the user name of Basic authentication.
        if client_id.is_empty() || !client_id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            return Err(BuildError::ClientId);
        }
        let discovery = Discovery::of(&sso_url, overrides);
        Ok(Self { http, client_id, client_auth, discovery, keys: KeyCache::default(), validate_url })
    }

    /// One refresh grant. The caller holds the lease of the stream, and saves the answer before it uses it: the
    /// refresh token that was sent may be worthless from now on.
    ///
    /// # Errors
    /// [`RefreshError`] tells the user's refusals from ours and from trouble that passes. Of the
    /// transient ones only [`Trouble::NotSent`] tells that EVE SSO did nothing: other answers may have been lost.
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, RefreshError> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())];
        self.token_call(&form, &[refresh_token]).await
    }

    /// The address at which a pilot signs in, with what its answer must match.
    pub async fn begin_sign_in(&self, request: &SignInRequest<'_>) -> SignIn {
        let authorize_url = self.discovery.authorize_url(&self.http).await;
        SignIn::begin(authorize_url, &self.client_id, self.client_auth.has_secret(), request)
    }

    /// Exchanges the code that [`SignIn::code`] has read for tokens. A code can be used once, and lives for 5 minutes.
    ///
    /// # Errors
    /// [`CodeError`] tells why there are no tokens.
    pub async fn exchange_code(&self, sign_in: &SignIn, code: &SecretString) -> Result<Grant, CodeError> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            // Asked for by RFC 6749, section 4.1.3, though not by EVE SSO.
            ("redirect_uri", sign_in.redirect_url.as_str()),
        ];
        let mut secrets = vec![code];
        if let Some(verifier) = &sign_in.code_verifier {
            form.push(("code_verifier", verifier.expose_secret()));
            secrets.push(verifier);
        }
        self.token_call(&form, &secrets).await.map_err(CodeError)
    }

    /// One call of the token endpoint, which says who we are. The secrets are those that the form holds.
    async fn token_call(&self, form: &[(&str, &str)], secrets: &[&SecretString]) -> Result<Grant, RefreshError> {
        let request = self.http.post(self.discovery.token_url(&self.http).await);
        let request = self.client_auth.form(request, &self.client_id, form);
        let no_answer = |NoAnswer { why, was_sent }| match was_sent {
            true => RefreshError::from(Trouble::Unreachable(why)),
            false => RefreshError::from(Trouble::NotSent(why)),
        };
        let raw = self.http.exchange(request).await.map_err(no_answer)?;
        if raw.is_success() {
            grant::read(&raw).map_err(|why| Trouble::Unreadable(why).into())
        } else {
            let redactor = Redactor::of(secrets.iter().copied().chain(self.client_auth.secret()));
            Err(RefreshError::refused(&raw, &redactor))
        }
    }

    /// Whether an access token that has not ended still stands; none where the provider cannot be asked.
    ///
    /// # Errors
    /// [`ValidateError`] when there is no answer, or none that speaks of the token.
    pub async fn validate(&self, access_token: &SecretString) -> Option<Result<Validity, ValidateError>> {
        let url = self.validate_url.as_ref()?;
        Some(validate::ask(&self.http, url, access_token).await)
    }

    /// Whose token it is and what it may, read from the JWT itself and checked against the key set. `now` is
    /// compared with its end, with a minute of skew.
    ///
    /// # Errors
    /// [`IdentityError`] says what is wrong with the token. Trouble with the key set is no error: see
    /// [`crate::SignatureCheck::NotChecked`].
    pub async fn identify(&self, access_token: &SecretString, now: DateTime<Utc>) -> Result<Identity, IdentityError> {
        let token = access_token.expose_secret();
        let signature = identity::check_signature(token, &self.keys, &self.http, &self.discovery).await?;
        identity::from_claims(&claims::read(token)?, &self.client_id, now, signature)
    }
}
