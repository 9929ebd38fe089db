//! ESI and EVE SSO, simulated, on a free port of this machine.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use esi_sim::clock;
use esi_sim::faces::{self, simulator::Simulator};
use esi_sim::model::counters::Counters;
use esi_sim::model::world::WorldSize;
use esi_sim::model::{Model, Settings};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The same world every time.
const SEED: u64 = 1;
/// ESI's windows have 15 minutes: whoever asks the demo for a thousand killmails would wait for minutes.
const WINDOW_SECONDS: u32 = 30;

pub(crate) struct SimulatedEve {
    pub(crate) url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
    simulator: Arc<Simulator>,
    /// Aborted when dropped.
    _serving: JoinSet<()>,
}

/// Somebody who has signed in.
pub(crate) struct Pilot {
    pub(crate) character_id: i64,
    pub(crate) name: String,
    pub(crate) refresh_token: SecretString,
}

impl SimulatedEve {
    /// With the real killmails on top of those that are made up.
    pub(crate) async fn start(characters: u32, killmails: u32) -> anyhow::Result<Self> {
        let settings = Settings { window_seconds: WINDOW_SECONDS, ..Settings::default() };
        let (client_id, client_secret) = (settings.client_id.clone(), settings.client_secret.clone().into());
        let size = WorldSize { characters, killmails, real_killmails: true };
        let simulator = Arc::new(Simulator::of(Model::begin(clock::now(), settings, SEED, size), false));
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the simulated EVE")?;
        let url = format!("http://{}", listener.local_addr().context("no port for the simulated EVE")?);
        let mut serving = JoinSet::new();
        let served = Arc::clone(&simulator);
        serving.spawn(async move {
            if let Err(error) = faces::serve(listener, served, std::future::pending()).await {
                tracing::error!(%error, "the simulated EVE is gone");
            }
        });
        Ok(Self { url, client_id, client_secret, simulator, _serving: serving })
    }

    pub(crate) fn pilots(&self) -> Vec<Pilot> {
        let model = self.simulator.model();
        let signed_in = model.characters(clock::now()).filter_map(|(character, refresh_token)| {
            let refresh_token = SecretString::from(refresh_token?.to_owned());
            Some(Pilot { character_id: character.character_id.number(), name: character.name.clone(), refresh_token })
        });
        signed_in.collect()
    }

    /// Killmails that stand on somebody's list: what the fleet must have in the end.
    pub(crate) fn listed_killmails(&self) -> usize {
        let model = self.simulator.model();
        let listed: BTreeSet<_> =
            model.characters(clock::now()).flat_map(|(character, _)| character.killmail_ids.iter().copied()).collect();
        listed.len()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.simulator.model().counters().clone()
    }
}
