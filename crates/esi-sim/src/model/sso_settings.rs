//! What can be chosen about SSO: how it treats refresh tokens, applications and access tokens.
//!
//! The rule: every setting may change while the simulator runs, and holds from then on for the logins that there are.
//! The words are those of IdentityServer4, with which EVE SSO shares its habits.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The settings of SSO. The names are a contract with tests: `GET` and `PATCH /sim/sso` speak them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsoSettings {
    /// `expires_in` of an access token. The real value is 1199.
    pub expires_in_seconds: u32,
    /// What a refresh does with the refresh token.
    pub rotation: Rotation,
    /// How long a consumed refresh token goes on working, with [`Rotation::AlwaysKillOld`].
    pub grace_seconds: u32,
    /// What happens when a consumed refresh token is shown again, after its grace.
    pub replay: Replay,
    /// A login ends this long after it began, however often it is refreshed; `None` is never.
    pub absolute_lifetime_seconds: Option<u32>,
    /// A refresh token ends this long after it was given out or last renewed; `None` is never.
    pub sliding_lifetime_seconds: Option<u32>,
    /// How the application says its secret.
    pub client_auth: ClientAuth,
    /// The claim `iss`.
    pub issuer: Issuer,
    /// With which key access tokens are signed.
    pub algorithm: Algorithm,
}

/// What a refresh does with the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rotation {
    /// The same one comes back (IdentityServer4: `ReUse`).
    #[value(alias = "re-use")]
    #[serde(alias = "re-use")]
    Never,
    /// Another one comes back, and the old one goes on working.
    Always,
    /// Another one comes back, and the old one is consumed: dead at once, or after its grace (IdentityServer4:
    /// `OneTimeOnly`).
    #[value(alias = "one-time-only")]
    #[serde(alias = "one-time-only")]
    AlwaysKillOld,
}

/// What happens when a consumed refresh token is shown again. It is refused in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replay {
    /// Nothing more.
    Refuse,
    /// The whole login is revoked, the newest token of it too.
    RevokeLogin,
}

/// How the application says its secret. A public client, which has none, says its id in the body in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuth {
    /// By Basic authentication or in the body.
    Any,
    /// By Basic authentication only (`client_secret_basic`).
    Basic,
    /// In the body only (`client_secret_post`).
    Body,
    /// It has none: a native application, and all logins are of it.
    None,
}

/// The three forms of the issuer that CCP's documents name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Issuer {
    /// `login.eveonline.com`
    #[value(name = "login.eveonline.com")]
    #[serde(rename = "login.eveonline.com")]
    Host,
    /// `https://login.eveonline.com`
    #[value(name = "https://login.eveonline.com")]
    #[serde(rename = "https://login.eveonline.com")]
    Url,
    /// `https://login.eveonline.com/`
    #[value(name = "https://login.eveonline.com/")]
    #[serde(rename = "https://login.eveonline.com/")]
    UrlWithSlash,
}

/// With which key access tokens are signed. Both are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSA, as EVE SSO does it today.
    #[value(name = "RS256")]
    #[serde(rename = "RS256")]
    Rs256,
    /// The curve P-256, which CCP announced in 2022.
    #[value(name = "ES256")]
    #[serde(rename = "ES256")]
    Es256,
}

impl Issuer {
    /// The claim.
    #[must_use]
    pub fn claim(self) -> &'static str {
        match self {
            Self::Host => "login.eveonline.com",
            Self::Url => "https://login.eveonline.com",
            Self::UrlWithSlash => "https://login.eveonline.com/",
        }
    }
}

impl Algorithm {
    /// Its name in a token's head and in the key set.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl Default for SsoSettings {
    fn default() -> Self {
        Self {
            expires_in_seconds: 1199,
            rotation: Rotation::Never,
            grace_seconds: 0,
            replay: Replay::Refuse,
            absolute_lifetime_seconds: None,
            sliding_lifetime_seconds: None,
            client_auth: ClientAuth::Any,
            issuer: Issuer::Url,
            algorithm: Algorithm::Rs256,
        }
    }
}
