//! What a fleet that has everything costs from then on, in ESI's tokens.

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![in_steady_state_no_token_is_spent_that_need_not_be];

const PILOTS: u64 = 8;
/// Rounds in which so many of the pilots have so many new killmails together, most of them none; as it goes for months.
const ROUNDS: [(usize, u32); 8] = [(0, 0), (2, 3), (0, 0), (1, 1), (5, 2), (0, 0), (1, 12), (0, 0)];

fn in_steady_state_no_token_is_spent_that_need_not_be(on: On) {
    let world = World::of(8, 60).with("--list-ttl-seconds=1");
    fleet(on, world, async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        let pilots: Vec<i64> = fleet.simulator.pilots().await.iter().map(|pilot| pilot.character_id).collect();
        fleet.lists_have_expired().await;
        fleet.simulator.reset_counters().await;
        let mut floor = 0;
        for (number, (fighters, killmails)) in ROUNDS.into_iter().enumerate() {
            let fighters: Vec<i64> = pilots.iter().cycle().skip(number).take(fighters).copied().collect();
            if !fighters.is_empty() {
                let fought = fleet.simulator.fight(&fighters, killmails).await;
                assert_eq!(fought.len(), killmails as usize);
            }
            // 2 for each new body and each list that has changed, 1 for each that has not.
            let changed = fighters.len() as u64;
            floor += 2 * u64::from(killmails) + 2 * changed + (PILOTS - changed);
            assert_eq!(fleet.tick(&["--force"]).await, Tick::only_listed(PILOTS));
            fleet.drain().await;
            fleet.lists_have_expired().await;
        }
        let spent: u64 = fleet.simulator.counters().await.tokens_spent.values().sum();
        assert_eq!(spent, floor, "tokens");
        fleet.is_true().await;
    });
}
