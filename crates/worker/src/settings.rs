//! The settings of every process that may have to refresh a token, and what is built from them.
//!
//! The database is among the flags, but each program resolves it for itself: not all of them take both kinds.

use std::time::Duration;

use clap::Args;
use esi::{BuildError, ClientAuth, Http, Sso};
use secrecy::SecretString;
use service::classed;
use service::settings::{
    self, DatabaseArgs, EsiArgs, EsiSettings, SsoArgs, SsoSettings, TokenKeyArgs, TokenRules, TokenRulesArgs,
};
use store::{Keyring, Store};

use crate::refresh::Refresher;

#[derive(Args)]
pub struct RefreshArgs {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    sso: SsoArgs,
    #[command(flatten)]
    esi: EsiArgs,
    #[command(flatten)]
    token_key: TokenKeyArgs,
    #[command(flatten)]
    token_rules: TokenRulesArgs,
}

/// All settings but the database, with what can be built before anything is opened.
pub struct RefreshSettings {
    keyring: Keyring,
    sso: Sso,
    sso_concurrency: u32,
    http: Http,
    esi: EsiSettings,
    token_buffer: Duration,
}

/// What came of the settings.
pub struct Joined {
    pub refresher: Refresher,
    /// The one HTTP client of the process.
    pub http: Http,
    pub esi: EsiSettings,
    /// An access token with no more than this left is refreshed first.
    pub token_buffer: Duration,
}

impl RefreshArgs {
    /// Resolves all settings before anything is opened, so that a mistake in any of them is found at once; then
    /// connects to the database.
    ///
    /// # Errors
    /// What `service::run` turns into exit code 2 for a mistake in the settings or another schema version, 1 for a
    /// database that does not answer.
    pub async fn join(
        &self,
        database_url: &SecretString,
        process: &str,
        connections_max: u32,
    ) -> anyhow::Result<Joined> {
        let settings = self.resolve()?;
        let store =
            Store::connect(database_url, process, connections_max).await.map_err(|error| classed(error.failure()))?;
        Ok(settings.join(store))
    }

    /// # Errors
    /// A mistake in the settings.
    pub fn resolve(&self) -> anyhow::Result<RefreshSettings> {
        let keyring =
            Keyring::parse(&self.token_key.resolve()?).map_err(|error| TokenKeyArgs::malformed(error.to_string()))?;
        let TokenRules { buffer: token_buffer, sso_concurrency } = self.token_rules.resolve()?;
        let SsoSettings { sso_url, token_url, jwks_url, authorize_url, validate_url, client_id, client_auth } =
            self.sso.resolve()?;
        let esi = self.esi.resolve()?;

        esi::install_crypto();
        let configuration = |error: BuildError| classed(error.failure());
        let http = Http::build(&esi.contact).map_err(configuration)?;
        let client_auth = match client_auth {
            settings::ClientAuth::Basic(secret) => ClientAuth::Basic(secret),
            settings::ClientAuth::Body(secret) => ClientAuth::Body(secret),
            settings::ClientAuth::None => ClientAuth::None,
        };
        let sso =
            esi::SsoSettings { sso_url, token_url, jwks_url, authorize_url, validate_url, client_id, client_auth };
        let sso = Sso::build(http.clone(), sso).map_err(configuration)?;
        Ok(RefreshSettings { keyring, sso, sso_concurrency, http, esi, token_buffer })
    }
}

impl RefreshSettings {
    #[must_use]
    pub fn join(self, store: Store) -> Joined {
        let Self { keyring, sso, sso_concurrency, http, esi, token_buffer } = self;
        Joined { refresher: Refresher::of(store, keyring, sso, sso_concurrency), http, esi, token_buffer }
    }
}
