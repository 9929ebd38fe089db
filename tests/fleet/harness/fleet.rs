//! The fleet as a test handles it: its binaries with their settings, and the sentences that tests are made of.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::CharacterId;
use domain::token::LIST_SCOPE;
use futures_util::future::join_all;
use secrecy::SecretString;
use store::login::LoginStart;
use store::refresh_job::{Granted, RefreshStart};
use store::{Keyring, Store};

use super::database::Database;
use super::output::Outputs;
use super::process::{Process, Running};
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
    pub(crate) simulator: Simulator,
    pub(crate) outputs: &'test Outputs,
    /// On services only.
    pub(super) queues: Option<&'test Queues>,
    /// What the last tick has started, on standalone.
    working: RefCell<Option<Running>>,
    settings: BTreeMap<String, String>,
}

impl<'test> Fleet<'test> {
    pub(super) async fn start(
        world: &World,
        database: &'test Database,
        queues: Option<&'test Queues>,
        outputs: &'test Outputs,
    ) -> Self {
        let simulator = Simulator::start(world, outputs).await;
        let settings = [
            ("KILLFLEET_DATABASE_URL", database.fleet_url()),
            ("KILLFLEET_CLIENT_ID", "sim-client"),
            ("KILLFLEET_CLIENT_SECRET", CLIENT_SECRET),
            ("KILLFLEET_TOKEN_KEY", TOKEN_KEY),
            ("KILLFLEET_CONTACT", "fleet-tests@example.com"),
            ("KILLFLEET_ESI_URL", &simulator.url),
            ("KILLFLEET_SSO_URL", &simulator.url),
            ("KILLFLEET_LOG", "debug"),
            // The tests are run at any time of the day.
            ("KILLFLEET_DOWNTIME", "off"),
            // Nobody can create it: no test shall find or leave a database among the data of whoever runs it.
            ("XDG_DATA_HOME", "/dev/null/no-folder"),
        ];
        let validate_url = format!("{}/oauth2/validate", simulator.url);
        let of_provider = world.can_be_asked.then_some(("KILLFLEET_SSO_VALIDATE_URL", validate_url.as_str()));
        let of_queues = queues
            .map(|queues| [("KILLFLEET_AMQP_URL", queues.url()), ("KILLFLEET_QUEUE_PREFIX", queues.prefix())])
            .into_iter()
            .flatten();
        let settings = settings.into_iter().chain(of_provider).chain(of_queues).chain(world.settings.iter().copied());
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let fleet = Self { database, simulator, outputs, queues, working: RefCell::default(), settings };
        if world.is_signed_in {
            fleet.sign_everybody_in().await;
        }
        fleet
    }

    /// For a test that is on services only.
    pub(crate) fn queues(&self) -> &'test Queues {
        self.queues.expect("this test needs the broker, so it is on services only")
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

    pub(crate) fn standalone(&self, arguments: &[&str]) -> Process<'_> {
        let standalone = self.killfleet(&[&["standalone"], arguments].concat());
        standalone.set("KILLFLEET_LOG_FORMAT", "json")
    }

    /// What makes one tick with these flags; on standalone it does the work too.
    pub(crate) fn one_tick(&self, flags: &[&str]) -> Process<'_> {
        match self.queues {
            Some(_) => self.scheduler(flags),
            None => self.standalone(&[&["--drain"], flags].concat()),
        }
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

    /// Everybody has signed in long ago, and all access tokens are over: as [`Fleet::sign_everybody_in`], without a
    /// process for each, so that there can be hundreds.
    pub(crate) async fn everybody_signed_in_long_ago(&self) {
        let pilots = self.simulator.pilots().await.into_iter();
        let tokens = pilots.map(|pilot| {
            let token = pilot.refresh_token.expect("a pilot of a new world has a token");
            (pilot.character_id, token)
        });
        self.signed_in_long_ago(tokens).await;
    }

    /// The same for these characters, with these refresh tokens.
    pub(crate) async fn signed_in_long_ago(&self, tokens: impl IntoIterator<Item = (i64, String)>) {
        let keyring = Keyring::parse(&TOKEN_KEY.to_owned().into()).unwrap();
        let url = SecretString::from(self.database.url().to_owned());
        let store = Store::connect(&url, "fleet-tests", 2).await.unwrap();
        for (id, token) in tokens {
            let (name, token) = (format!("Pilot {id}"), SecretString::from(token));
            let character_id = CharacterId::parse(id).unwrap();
            let login = store.begin_login(&keyring, character_id, &name, &token).await.unwrap();
            let LoginStart::Added(token_stream_id) = login else { panic!("signed in twice: {login:?}") };
            let start = store.claim_refresh(&keyring, token_stream_id, None, 1).await.unwrap();
            let RefreshStart::Claimed(claim) = start else { panic!("not claimed: {start:?}") };
            let granted = Granted {
                access_token: &SecretString::from("over"),
                expires_at: claim.claimed_at - TimeDelta::hours(1),
                owner_hash: None,
                scopes: &[LIST_SCOPE.to_owned()],
            };
            assert!(store.finish_granted(&keyring, &claim, granted).await.unwrap().is_some());
        }
        store.close().await;
        self.database
            .execute(
                "update token_stream set last_refreshed_at = now() - interval '2 hours';
                 update token_event set at = now() - interval '2 hours'",
            )
            .await;
    }

    pub(crate) async fn pauses_are_over(&self) {
        self.database
            .execute(
                "update fleet_pause set until = now();
                 update sso_breaker set client_refused_until = now() where client_refused_until > now()",
            )
            .await;
    }

    /// As if a minute had gone by since the last login was tried.
    pub(crate) async fn let_a_canary_be_due(&self) {
        self.database.execute("update sso_breaker set canary_at = now() - interval '61 seconds'").await;
    }

    /// One tick. On standalone the work that it has found has begun when this returns, and [`Fleet::drain`] waits for its
    /// end: what shall be so while it works is brought about before.
    pub(crate) async fn tick(&self, flags: &[&str]) -> Tick {
        self.standalone_has_ended().await;
        let tick = self.one_tick(flags);
        if self.queues.is_none() {
            let mut running = tick.start();
            let first_line = running.first_line().await;
            self.working.replace(Some(running));
            return Tick::parse(&first_line);
        }
        let ended = tick.run().await.well();
        assert_eq!(ended.stdout.len(), 1, "a tick prints one line: {:?}", ended.stdout);
        Tick::parse(&ended.stdout[0])
    }

    /// The work is done: by one worker, or by the process that has ticked.
    pub(crate) async fn drain(&self) {
        self.drain_with_workers(1).await;
    }

    /// As many workers at once work until the queues are empty; standalone is one process in any case.
    pub(crate) async fn drain_with_workers(&self, workers: usize) {
        self.standalone_has_ended().await;
        if self.queues.is_some() {
            for ended in join_all((0..workers).map(|_| self.worker(&["--drain"]).run())).await {
                ended.well();
            }
        }
    }

    pub(super) async fn standalone_has_ended(&self) {
        let working = self.working.take();
        if let Some(working) = working {
            working.ended().await.well();
        }
    }

    pub(crate) async fn drain_lane(&self, lane: &str) {
        self.worker(&["--drain", "--lanes", lane]).run().await.well();
    }

    /// All access tokens are over since a minute, and the refresh tokens are not.
    pub(crate) async fn let_tokens_expire(&self) {
        self.database.execute("update token_stream set expires_at = now() - interval '1 minute'").await;
    }

    /// As if minutes had gone by: the leases of token calls whose process has died have run out, and refusals do not add up
    /// to a mass failure.
    pub(crate) async fn refresh_leases_run_out(&self) {
        self.database
            .execute(
                "update token_stream set lease_until = now() - interval '1 second' where lease_until > now();
                 update sso_slot set lease_until = now() - interval '1 second' where lease_until > now();
                 update token_event set at = at - interval '10 minutes'",
            )
            .await;
    }

    /// Everything that is put off is due now. `Expires` of ESI is left as it is.
    pub(crate) async fn make_due(&self) {
        self.database.execute("update character set next_sync_at = now() where next_sync_at > now()").await;
        self.database.execute("update corporation set next_sync_at = now() where next_sync_at > now()").await;
        self.database.execute("update killmail_ref set due_at = now() where due_at > now()").await;
    }

    /// As if all lists had just been read, and no body fetched yet.
    pub(crate) async fn forget_bodies(&self) {
        self.database.execute("delete from killmail; update killmail_ref set state = 'wanted', due_at = now()").await;
    }

    /// Waits until ESI's copies of all lists have expired.
    pub(crate) async fn lists_have_expired(&self) {
        let fresh = |table| format!("{table} where list_expires_at > now()");
        let expired = async |table| self.database.count(&fresh(table)).await == 0;
        eventually("the lists expire", async || expired("character").await && expired("corporation").await).await;
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
