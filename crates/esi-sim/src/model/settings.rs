//! What can be chosen about the simulated services.

use super::sso_settings::SsoSettings;

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
    /// Client id of the one application that is known.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Whether errors of routes with a bucket feed the error limit as well.
    pub bucketed_errors_count: bool,
    /// With more token calls than this in flight SSO answers 500.
    pub token_parallel_limit: u32,
    /// How SSO treats logins and tokens; it may change while the simulator runs.
    pub sso: SsoSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_size: 1000,
            list_ttl_seconds: 300,
            window_seconds: 900,
            error_limit_window_seconds: 60,
            client_id: "sim-client".to_owned(),
            client_secret: "sim-secret".to_owned(),
            bucketed_errors_count: false,
            token_parallel_limit: 20,
            sso: SsoSettings::default(),
        }
    }
}
