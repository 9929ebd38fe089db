//! What can be chosen about the simulated services.

use clap::ValueEnum;

/// The settings of one model. The command line fills it; see `esi-sim serve --help`. No `Debug`: it holds a secret.
#[derive(Clone)]
pub struct Settings {
    /// References on one page of a list.
    pub page_size: usize,
    /// How long ESI keeps a list before it makes it anew. The real value is 300.
    pub list_ttl_seconds: u32,
    /// Length of the floating window of the buckets. The real value is 900.
    pub window_seconds: u32,
    /// Length of the fixed window of the error limit. The real value is 60.
    pub error_limit_window_seconds: u32,
    /// `expires_in` of an access token. The real value is 1199.
    pub expires_in_seconds: u32,
    /// Client id of the one application that is known.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// What a refresh does with the refresh token.
    pub rotation: Rotation,
    /// The claim `iss`.
    pub issuer: Issuer,
    /// Whether errors of routes with a bucket feed the error limit as well.
    pub bucketed_errors_count: bool,
    /// With more token calls than this in flight SSO answers 500.
    pub token_parallel_limit: u32,
}

/// What a refresh does with the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rotation {
    /// The same one comes back.
    Never,
    /// Another one comes back, and the old one goes on working.
    Always,
    /// Another one comes back, and the old one is dead at once.
    AlwaysKillOld,
}

/// The three forms of the issuer that CCP's documents name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Issuer {
    /// `login.eveonline.com`
    #[value(name = "login.eveonline.com")]
    Host,
    /// `https://login.eveonline.com`
    #[value(name = "https://login.eveonline.com")]
    Url,
    /// `https://login.eveonline.com/`
    #[value(name = "https://login.eveonline.com/")]
    UrlWithSlash,
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

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_size: 1000,
            list_ttl_seconds: 300,
            window_seconds: 900,
            error_limit_window_seconds: 60,
            expires_in_seconds: 1199,
            client_id: "sim-client".to_owned(),
            client_secret: "sim-secret".to_owned(),
            rotation: Rotation::Never,
            issuer: Issuer::Url,
            bucketed_errors_count: false,
            token_parallel_limit: 20,
        }
    }
}
