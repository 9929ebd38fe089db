//! Killed at random moments, again and again, with work of every kind in hand: nothing is lost, and nothing is asked for
//! again but what was on its way.
//!
//! One thing nobody can mend: a provider that forgets the old refresh token with each refresh, and a kill between its
//! answer and our commit. The oracle tells these logins by what the simulator knows, and they must have been on their
//! way to it when the process died; all others must hold the very token that works.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Exceptions, Fleet, On, World, fleet, list};

const KILLS: u64 = 50;
const CHARACTERS: u32 = 40;
/// From the start of a process, which needs some 30 ms until it is at work.
const KILLED_AFTER_MILLISECONDS: std::ops::Range<u64> = 10..700;
/// Jobs of each lane, and token calls, at the same time.
const AT_ONCE: u64 = 4;
/// Tokens live for 10 s and are refreshed from 9 s before their end.
const REFRESHED_EVERY: Duration = Duration::from_secs(1);

#[test]
fn killed_fifty_times_with_logins_that_keep_their_token_nothing_is_lost() {
    killed_again_and_again("--rotation=never");
}

#[test]
fn killed_fifty_times_with_logins_that_forget_their_old_token_nothing_is_lost_that_was_answered() {
    killed_again_and_again("--rotation=always-kill-old");
}

fn killed_again_and_again(rotation: &str) {
    let seed = seed();
    eprintln!("KILLFLEET_TEST_SEED={seed}");
    let world = World::of(CHARACTERS, 400).with("--page-size=4").with("--list-ttl-seconds=1");
    let world = world.with("--window-seconds=1").with("--expires-in-seconds=10").with(rotation);
    fleet(On::Standalone, world.setting("KILLFLEET_TOKEN_BUFFER", "9s"), async |fleet: &Fleet| {
        let began = Instant::now();
        // As far away as ESI is, so that something is on its way most of the time.
        let far = |route| json!({ "on": route, "probability": 0.7, "do": { "kind": "delay", "milliseconds": 20 } });
        fleet.simulator.fault(json!([far("token"), far("list"), far("detail")])).await;
        let mut chance = StdRng::seed_from_u64(seed);
        let mut killed = Killed::default();
        for _ in 0..KILLS {
            let pilots: Vec<i64> = fleet.simulator.pilots().await.iter().map(|pilot| pilot.character_id).collect();
            let fighters: Vec<i64> = (0..3).map(|_| pilots[chance.random_range(0..pilots.len())]).collect();
            fleet.simulator.fight(&fighters, 5).await;
            let running = fleet.standalone(&["--force", "--every", "1s"]).start();
            sleep(Duration::from_millis(chance.random_range(KILLED_AFTER_MILLISECONDS))).await;
            running.kill().await;
            killed.look(fleet).await;
            fleet.refresh_leases_run_out().await;
        }
        let Killed { kills, in_work, token_calls_cut, lost, .. } = &killed;
        eprintln!("{kills} kills, {in_work} in the middle of work; {token_calls_cut} token calls cut, {lost:?} lost");
        assert!(*in_work >= KILLS / 4 && *token_calls_cut > 0, "these kills met nothing");
        assert!(lost.is_empty() || rotation == "--rotation=always-kill-old", "nobody's token was replaced");

        fleet.simulator.heal().await;
        every_login_is_tried(fleet, lost).await;
        let elapsed = u64::try_from(began.elapsed().as_millis() / REFRESHED_EVERY.as_millis()).unwrap();
        let calls = fleet.simulator.counters().await.requests_to("token");
        let allowed = u64::from(CHARACTERS) * (elapsed + 2) + token_calls_cut + 2 * lost.len() as u64;
        assert!(calls <= allowed, "{calls} token calls, {allowed} are enough");

        the_lost_sign_in_again(fleet, lost).await;
        everything_comes_in(fleet).await;
        let repeated = AT_ONCE * KILLS;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.answers_with(420), counters.answers_with(429)), (0, 0));
        assert_eq!(counters.answers_with(400) > 0, !lost.is_empty());
        fleet
            .is_true_but(Exceptions { repeated_details: repeated, repeated_pages: repeated, ..Exceptions::default() })
            .await;
    });
}

/// What the kills have left behind so far.
#[derive(Default)]
struct Killed {
    kills: u64,
    /// Kills that met some row in work.
    in_work: u64,
    /// Of all kills together.
    token_calls_cut: u64,
    /// Characters whose token call was on its way at the last kill.
    on_their_way: BTreeSet<i64>,
    /// Characters whose login the provider has replaced, in an answer that nobody has read.
    lost: BTreeSet<i64>,
}

impl Killed {
    async fn look(&mut self, fleet: &Fleet<'_>) {
        self.kills += 1;
        let leased = "(select 1 from character where lease_until > now()
                       union all select 1 from killmail_ref where lease_until > now()) as leased";
        self.in_work += u64::from(fleet.database.count(leased).await > 0);
        assert_eq!(fleet.database.count("token_stream where state = 'dead'").await, 0);

        let on_their_way: Vec<(i64,)> =
            fleet.database.rows("select character_id from token_stream where lease_until > now()").await;
        let on_their_way: BTreeSet<i64> = on_their_way.into_iter().map(|(character_id,)| character_id).collect();
        assert!(on_their_way.len() as u64 <= AT_ONCE, "{on_their_way:?}");
        self.token_calls_cut += on_their_way.len() as u64;
        let lost = fleet.with_a_token_that_does_not_work().await;
        for character_id in lost.difference(&self.lost) {
            // The kill before may have met it too: the simulator can be a moment behind.
            let may_be_lost = on_their_way.contains(character_id) || self.on_their_way.contains(character_id);
            assert!(may_be_lost, "the token of {character_id} was answered, or never asked for, and is lost");
        }
        assert!(lost.is_superset(&self.lost), "what the provider has forgotten does not work again");
        (self.lost, self.on_their_way) = (lost, on_their_way);

        let counters = fleet.simulator.counters().await;
        let stored = fleet.database.count("killmail").await as u64;
        let repeated = counters.requests_to("detail") - stored;
        assert!(repeated <= AT_ONCE * self.kills, "{repeated} bodies were asked for and not stored");
        let early = counters.requests_before_expiry;
        assert!(early <= AT_ONCE * self.kills, "{early} pages were asked for again");
    }
}

/// All logins are refreshed once more: those that are lost, and no others, are refused, and told for what they are. More
/// than five at once are not believed to be: so some minutes go by between them.
async fn every_login_is_tried(fleet: &Fleet<'_>, lost: &BTreeSet<i64>) {
    let refused = "token_stream where state = 'suspect' and strikes = 1 and last_error_code = 'lost_answer'";
    for _ in 0..10 {
        fleet.let_tokens_expire().await;
        fleet.make_due().await;
        fleet.lists_have_expired().await;
        fleet.tick(&["--force"]).await;
        fleet.drain().await;
        if fleet.database.count(refused).await == lost.len() as i64 {
            break;
        }
        fleet.let_a_canary_be_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.database.execute("update token_event set at = at - interval '6 minutes'").await;
    }
    let refused: Vec<(i64,)> = fleet.database.rows(&format!("select character_id from {refused}")).await;
    assert_eq!(refused.into_iter().map(|(character_id,)| character_id).collect::<BTreeSet<_>>(), *lost);
    // Tokens of ten seconds may be over again by now; those that were made to expire were set back by a minute.
    let well = "token_stream where state = 'active' and strikes = 0 and lease_until is null
                and expires_at > last_refreshed_at";
    assert_eq!(fleet.database.count(well).await, i64::from(CHARACTERS) - lost.len() as i64);
}

async fn the_lost_sign_in_again(fleet: &Fleet<'_>, lost: &BTreeSet<i64>) {
    for character_id in lost {
        let token = fleet.simulator.login(*character_id).await;
        fleet.add(*character_id, &token).run().await.well();
    }
    let lost = list(&Vec::from_iter(lost.iter().copied()));
    fleet
        .database
        .execute(&format!("delete from token_stream where state = 'suspect' and character_id in {lost}"))
        .await;
}

/// Nobody is killed any more.
async fn everything_comes_in(fleet: &Fleet<'_>) {
    let truth = fleet.simulator.truth().await;
    let listed: usize = truth.lists.iter().map(|list| list.killmail_ids.len()).sum();
    for _ in 0..20 {
        fleet.make_due().await;
        fleet.lists_have_expired().await;
        fleet.tick(&["--force"]).await;
        fleet.drain().await;
        let is_walked = fleet.database.count("character where resume_page is not null").await == 0;
        let is_stored = fleet.database.count("killmail_ref where state = 'wanted'").await == 0;
        if is_walked && is_stored && fleet.database.count("character_killmail").await == listed as i64 {
            return;
        }
    }
    panic!("twenty drains did not bring everything");
}

/// Chosen anew for each run, unless a run is to be repeated.
#[expect(clippy::disallowed_methods, reason = "the tests' own setting, which no process of the fleet reads")]
fn seed() -> u64 {
    match std::env::var("KILLFLEET_TEST_SEED") {
        Ok(seed) => seed.parse().expect("a seed is a number"),
        Err(_) => rand::random(),
    }
}
