//! New fights all the time, so that whatever happens, happens under load.

use std::cell::Cell;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::{MissedTickBehavior, interval};

use crate::harness::Fleet;

/// Five times a second so many killmails: 100 a second.
const EVERY: Duration = Duration::from_millis(200);
const KILLMAILS: u32 = 20;
/// No more than that in one round.
const KILLMAILS_MAX: u32 = 6_000;
/// Characters in a fight.
const LARGEST_FIGHT: usize = 5;

pub(crate) struct Load<'fleet> {
    fleet: &'fleet Fleet<'fleet>,
    character_ids: Vec<i64>,
    random: StdRng,
}

impl<'fleet> Load<'fleet> {
    pub(crate) async fn of(fleet: &'fleet Fleet<'fleet>, seed: u64) -> Self {
        let pilots = fleet.simulator.pilots().await.into_iter();
        let character_ids = pilots.map(|pilot| pilot.character_id).collect();
        Self { fleet, character_ids, random: StdRng::seed_from_u64(seed) }
    }

    /// Goes on until the fault is over. Never dropped before its end: a fight that nobody waits for might come later.
    pub(crate) async fn go_on(&mut self, is_over: &Cell<bool>) {
        let mut next = interval(EVERY);
        next.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..KILLMAILS_MAX / KILLMAILS {
            next.tick().await;
            if is_over.get() {
                return;
            }
            let fighters = self.random.random_range(1..=LARGEST_FIGHT);
            let fighters: Vec<i64> = self.character_ids.choose_multiple(&mut self.random, fighters).copied().collect();
            self.fleet.simulator.fight(&fighters, KILLMAILS).await;
        }
    }
}
