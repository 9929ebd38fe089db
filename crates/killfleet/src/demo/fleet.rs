//! The fleet of the demo: the engine of `killfleet standalone` on a database that goes away.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use domain::CharacterId;
use domain::tier::Tiers;
use esi::{ClientAuth, Esi, Http, Sso, SsoSettings};
use secrecy::SecretString;
use service::{ConfigurationError, classed};
use store::due::DueFilter;
use store::login::LoginStart;
use store::{Keyring, Store, StoreError, scratch};
use tokio_util::sync::CancellationToken;
use url::Url;
use worker::refresh::Refresher;
use worker::{Pace, Pauses, Worker};

use super::progress::Progress;
use super::simulated_eve::{Pilot, SimulatedEve};
use crate::NAME;
use crate::commands::{from_store, refresh_once};
use crate::standalone::{Ended, Engine, EngineSettings, Until};

/// For the User-Agent; nobody but this machine reads it.
const CONTACT: &str = "demo@example.invalid";
const CONNECTIONS: u32 = 6;
/// As the fleet has it, if nothing else is set.
const TOKEN_BUFFER: Duration = Duration::from_secs(300);
const SSO_CONCURRENCY: u32 = 4;
const CONCURRENCY_PER_LANE: usize = 4;
const GRACE: Duration = Duration::from_secs(5);
/// A demo drains: there is no second tick to wait for.
const TICK_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct DemoFleet {
    database_url: SecretString,
    refresher: Refresher,
    esi: Esi,
}

impl DemoFleet {
    /// Its database is new and empty; whatever comes, [`DemoFleet::leave_nothing`] has to follow.
    pub(crate) async fn start(eve: &SimulatedEve) -> anyhow::Result<Self> {
        let url = Url::parse(&eve.url).context("the simulated EVE has no address")?;
        let http = Http::build(CONTACT).map_err(|error| classed(error.failure()))?;
        let settings = SsoSettings {
            sso_url: url.clone(),
            token_url: None,
            jwks_url: None,
            authorize_url: None,
            validate_url: None,
            client_id: eve.client_id.clone(),
            client_auth: ClientAuth::Basic(eve.client_secret.clone()),
        };
        let sso = Sso::build(http.clone(), settings).map_err(|error| classed(error.failure()))?;
        let esi = Esi::build(http, url).map_err(|error| classed(error.failure()))?;
        let database_url = scratch::create_file_migrated().await.map_err(from_scratch)?;
        let store = match Store::connect(&database_url, NAME, CONNECTIONS).await {
            Ok(store) => store,
            Err(error) => {
                scratch::drop(&database_url).await.map_err(from_store)?;
                return Err(from_store(error));
            }
        };
        let refresher = Refresher::of(store, Keyring::ephemeral(), sso, SSO_CONCURRENCY);
        Ok(Self { database_url, refresher, esi })
    }

    pub(crate) fn store(&self) -> &Store {
        self.refresher.store()
    }

    /// As `killfleet character add` does it.
    pub(crate) async fn sign_in(&self, pilot: &Pilot) -> anyhow::Result<()> {
        let character_id = CharacterId::parse(pilot.character_id)?;
        let begun = self.store().begin_login(self.refresher.keyring(), character_id, &pilot.name, &pilot.refresh_token);
        let LoginStart::Added(token_stream_id) = begun.await.map_err(from_store)? else {
            bail!("{} has signed in twice", pilot.name);
        };
        refresh_once(&self.refresher, token_stream_id).await?;
        self.store().complete_login(character_id, &pilot.name).await.map_err(from_store)
    }

    /// Works until nothing is left to do.
    pub(crate) async fn drain(&self, progress: &Progress, stop: &CancellationToken) -> anyhow::Result<()> {
        let worker = Worker {
            refresher: self.refresher.clone(),
            esi: self.esi.clone(),
            token_buffer: TOKEN_BUFFER,
            tiers: Tiers::default(),
            pauses: Pauses::with(None),
            pace: Pace::default(),
            speaks_for_fleet: true,
        };
        let settings = EngineSettings {
            concurrency_per_lane: CONCURRENCY_PER_LANE,
            every: TICK_EVERY,
            until: Until::LanesEmpty,
            grace: GRACE,
            filter: DueFilter::default(),
            all_corporations: false,
        };
        let engine = Engine::of(Arc::new(worker), settings);
        let ended = tokio::select! {
            ended = engine.run(|_summary| {}, stop) => ended?,
            never = progress.watch(self.store()) => match never {},
        };
        ensure!(!stop.is_cancelled(), "the demo was stopped before it was through");
        match ended {
            Ended::Drained => Ok(()),
            Ended::GraceRanOut { jobs_left } => bail!("{jobs_left} jobs did not end"),
        }
    }

    pub(crate) async fn leave_nothing(self) -> anyhow::Result<()> {
        self.store().close().await;
        scratch::drop(&self.database_url).await.map_err(from_store)
    }
}

/// The demo has no setting for its database, which is where the system keeps temporary files.
fn from_scratch(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::File { path, source } => ConfigurationError::new(format!(
            "the demo's database {} cannot be created: {source}: TMPDIR may name another folder for temporary files",
            path.display()
        ))
        .into(),
        other => from_store(other),
    }
}
