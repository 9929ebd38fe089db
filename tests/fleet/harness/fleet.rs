//! The fleet as a test handles it: its binaries with their settings, and the sentences that tests are made of.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::database::Database;
use super::output::Outputs;
use super::process::Process;
use super::queues::Queues;
use super::simulator::Simulator;
use super::tick::Tick;
use super::wait::eventually;
use super::world::World;

/// The simulator's own default.
pub(crate) const CLIENT_SECRET: &str = "sim-secret";
/// The bytes 0 to 31, in base64.
pub(crate) const TOKEN_KEY: &str = "fleet:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Sign-ins at the same time: as many as there are slots for token calls.
const SIGN_INS_AT_ONCE: usize = 4;

pub(crate) struct Fleet<'test> {
    pub(crate) database: &'test Database,
    pub(crate) queues: &'test Queues,
    pub(crate) simulator: Simulator,
    pub(crate) outputs: &'test Outputs,
    settings: BTreeMap<String, String>,
}

impl<'test> Fleet<'test> {
    pub(super) async fn start(
        world: &World,
        database: &'test Database,
        queues: &'test Queues,
        outputs: &'test Outputs,
    ) -> Self {
        let simulator = Simulator::start(world, outputs).await;
        let settings = [
            ("KILLFLEET_DATABASE_URL", database.url()),
            ("KILLFLEET_AMQP_URL", queues.url()),
            ("KILLFLEET_QUEUE_PREFIX", queues.prefix()),
            ("KILLFLEET_CLIENT_ID", "sim-client"),
            ("KILLFLEET_CLIENT_SECRET", CLIENT_SECRET),
            ("KILLFLEET_TOKEN_KEY", TOKEN_KEY),
            ("KILLFLEET_CONTACT", "fleet-tests@example.com"),
            ("KILLFLEET_ESI_URL", &simulator.url),
            ("KILLFLEET_SSO_URL", &simulator.url),
            ("KILLFLEET_LOG", "debug"),
        ];
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let fleet = Self { database, queues, simulator, outputs, settings };
        if world.is_signed_in {
            fleet.sign_everybody_in().await;
        }
        fleet
    }

    pub(crate) fn killfleet(&self, arguments: &[&str]) -> Process<'_> {
        Process::of("killfleet", arguments, self.settings.clone(), self.outputs)
    }

    pub(crate) fn scheduler(&self, arguments: &[&str]) -> Process<'_> {
        let scheduler = Process::of("killfleet-scheduler", arguments, self.settings.clone(), self.outputs);
        scheduler.set("KILLFLEET_LOG_FORMAT", "json")
    }

    pub(crate) fn worker(&self, arguments: &[&str]) -> Process<'_> {
        Process::of("killfleet-worker", arguments, self.settings.clone(), self.outputs)
    }

    pub(crate) fn add(&self, character_id: i64, refresh_token: &str) -> Process<'_> {
        let id = character_id.to_string();
        let arguments = ["character", "add", "--character-id", &id, "--name", &format!("Pilot {id}")];
        self.killfleet(&arguments).stdin(&format!("{refresh_token}\n"))
    }

    /// Afterwards the simulator's counters are at zero: they tell what the test does.
    pub(crate) async fn sign_everybody_in(&self) {
        let pilots = self.simulator.pilots().await;
        for some in pilots.chunks(SIGN_INS_AT_ONCE) {
            let sign_ins = some.iter().map(|pilot| {
                let token = pilot.refresh_token.as_deref().expect("a pilot of a new world has a token");
                self.add(pilot.character_id, token).run()
            });
            for ended in join_all(sign_ins).await {
                ended.well();
            }
        }
        self.simulator.reset_counters().await;
    }

    /// One tick of the scheduler.
    pub(crate) async fn tick(&self, flags: &[&str]) -> Tick {
        let ended = self.scheduler(flags).run().await.well();
        assert_eq!(ended.stdout.len(), 1, "a tick prints one line: {:?}", ended.stdout);
        Tick::parse(&ended.stdout[0])
    }

    /// One worker works until the queues are empty.
    pub(crate) async fn drain(&self) {
        self.worker(&["--drain"]).run().await.well();
    }

    pub(crate) async fn drain_lane(&self, lane: &str) {
        self.worker(&["--drain", "--lanes", lane]).run().await.well();
    }

    /// All access tokens are over since a minute, and the refresh tokens are not.
    pub(crate) async fn let_tokens_expire(&self) {
        self.database.execute("update token_stream set expires_at = now() - interval '1 minute'").await;
    }

    /// Everything that is put off is due now. `Expires` of ESI is left as it is.
    pub(crate) async fn make_due(&self) {
        self.database.execute("update character set next_sync_at = now() where next_sync_at > now()").await;
        self.database.execute("update killmail_ref set due_at = now() where due_at > now()").await;
    }

    /// Waits until ESI's copies of all lists have expired.
    pub(crate) async fn lists_have_expired(&self) {
        let fresh = "character where list_expires_at > now()";
        eventually("the lists expire", async || self.database.count(fresh).await == 0).await;
    }

    /// Waits until so many characters' lists have been read to their end.
    pub(crate) async fn has_synced(&self, characters: i64) {
        let synced = "character where last_synced_at is not null and lease_until is null";
        let what = format!("{characters} characters are synced");
        eventually(&what, async || self.database.count(synced).await == characters).await;
    }

    /// The character with the longest list, and that list, oldest first.
    pub(crate) async fn busiest(&self) -> (i64, Vec<i64>) {
        let pilots = self.simulator.pilots().await;
        let busiest = pilots.into_iter().max_by_key(|pilot| pilot.killmail_ids.len()).expect("there are pilots");
        (busiest.character_id, busiest.killmail_ids)
    }
}
