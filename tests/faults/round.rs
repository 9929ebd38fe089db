//! One round: load, a fault under it, and the same oracle every time.

use std::cell::Cell;
use std::pin::Pin;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::{Instant, sleep};

use crate::crew::{CONCURRENCY, Crew, WORKERS};
use crate::harness::{self, Exceptions, Fleet, On, World};
use crate::load::Load;
use crate::recovery;
use crate::report::Report;

/// A fault is injected once so many bodies of the round are stored.
const BODIES_BEFORE: i64 = 60;

/// What a fault does; when it returns, the fault is over and everything that it has taken away is back.
pub(crate) type Inject = for<'round> fn(&'round mut Round<'_>) -> Pin<Box<dyn Future<Output = ()> + 'round>>;

pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// What a refresh does with the refresh token. The strictest wherever no process dies and no answer gets lost: those
    /// end a login of such a provider, whatever we do.
    pub(crate) rotation: &'static str,
    /// It harms a server that rounds share.
    pub(crate) is_alone: bool,
    pub(crate) inject: Inject,
}

/// How large a round is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) characters: u32,
    /// Before the first fight of the round.
    pub(crate) killmails: u32,
    /// Of the round in which everything comes at random.
    pub(crate) soak: Duration,
}

/// What a fault works with.
pub(crate) struct Round<'fleet> {
    pub(crate) fleet: &'fleet Fleet<'fleet>,
    pub(crate) crew: Crew<'fleet>,
    pub(crate) random: StdRng,
    pub(crate) soak: Duration,
    faults: u64,
    /// Requests that may be made twice because of the faults so far.
    repeats_allowed: u64,
}

impl Round<'_> {
    /// A fault was injected, and it can have cost what so many workers had in flight.
    pub(crate) fn count_fault(&mut self, workers: usize) {
        self.faults += 1;
        self.repeats_allowed += workers as u64 * CONCURRENCY;
    }

    pub(crate) fn any_worker(&mut self) -> usize {
        self.random.random_range(0..WORKERS)
    }

    /// A part of a second, so that the next fault meets the fleet at another point of its work.
    pub(crate) async fn moment(&mut self) {
        let moment = self.random.random_range(50..500);
        sleep(Duration::from_millis(moment)).await;
    }

    /// What the simulator has spoiled is asked for again.
    pub(crate) fn allow_repeats(&mut self, spoiled_answers: u64) {
        self.repeats_allowed += spoiled_answers;
    }

    /// How often faults of the simulator have bitten so far.
    pub(crate) async fn bites(&self) -> u64 {
        self.fleet.simulator.counters().await.faults.values().sum()
    }
}

fn world(fault: &Fault, scale: Scale) -> World {
    World::of(scale.characters, scale.killmails)
        .nobody_signed_in()
        .takes_at_most(Duration::from_secs(300) + scale.soak)
        .with(&format!("--rotation={}", fault.rotation))
        // With the buffer of five minutes: each login is refreshed every ten seconds.
        .with("--expires-in-seconds=310")
        .with("--list-ttl-seconds=3")
        .with("--page-size=200")
        // 360 bodies a second, and 3 pages a second for each character.
        .with("--window-seconds=5")
        .with("--error-limit-window-seconds=5")
        .setting("KILLFLEET_LOG", "info")
}

/// Runs one round; a panic says what did not hold.
pub(crate) fn run(fault: &Fault, seed: u64, scale: Scale) -> Report {
    let mut report = None;
    harness::fleet(On::Services, world(fault, scale), async |fleet: &Fleet| {
        report = Some(with_fleet(fault, fleet, seed, scale.soak).await);
    });
    report.expect("a round that ends well has a report")
}

async fn with_fleet(fault: &Fault, fleet: &Fleet<'_>, seed: u64, soak: Duration) -> Report {
    fleet.everybody_signed_in_long_ago().await;
    fleet.simulator.reset_counters().await;
    let mut load = Load::of(fleet, seed).await;
    let random = StdRng::seed_from_u64(seed);
    let crew = Crew::start(fleet).await;
    let mut round = Round { fleet, crew, random, soak, faults: 0, repeats_allowed: 0 };
    let began = Instant::now();
    let is_over = Cell::new(false);
    tokio::join!(load.go_on(&is_over), async {
        recovery::bodies_flow(fleet, BODIES_BEFORE).await;
        (fault.inject)(&mut round).await;
        is_over.set(true);
    });
    let recovery = recovery::of(fleet).await;
    round.crew.stop_schedulers().await;
    recovery::nothing_is_open(fleet).await;
    round.crew.stop_workers().await;
    let exceptions = Exceptions {
        repeated_details: round.repeats_allowed,
        repeated_pages: round.repeats_allowed,
        ..Exceptions::default()
    };
    fleet.is_true_but(exceptions).await;
    fleet.every_held_token_works().await;
    let counters = fleet.simulator.counters().await;
    let bodies = counters.detail_calls_by_killmail.len() as u64;
    Report {
        fault: fault.name,
        seconds: began.elapsed().as_secs(),
        faults: round.faults,
        bodies,
        lists: counters.requests_to("list"),
        token_calls: counters.requests_to("token"),
        repeated_bodies: counters.requests_to("detail") - bodies,
        repeated_pages: counters.requests_before_expiry,
        repeats_allowed: round.repeats_allowed,
        recovery,
    }
}
