//! The fleet under a long backlog, with ESI's real limits in a shorter window: how much of the budget for bodies is used,
//! and that ESI is never annoyed. Minutes long, and it needs the machine for itself:
//! `cargo test -p fleet-tests full_speed -- --ignored --nocapture`.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::harness::{Fleet, On, World, fleet};

/// ESI's window has 15 minutes.
const WINDOW: Duration = Duration::from_secs(20);
const WINDOWS: u32 = 10;
const LIMIT_TOKENS: f64 = 3600.0;
const WORKERS: usize = 4;

/// More than the windows can take: 1,800 bodies in each.
fn world() -> World {
    World::of(40, 23_000)
        .nobody_signed_in()
        .takes_at_most(WINDOW * (WINDOWS + 6))
        .with(&format!("--window-seconds={}", WINDOW.as_secs()))
        .setting("KILLFLEET_LOG", "warn")
}

#[test]
#[ignore = "takes minutes, and needs the machine for itself: .ci/run runs it"]
fn four_workers_use_nine_tenths_of_every_window_and_annoy_nobody() {
    fleet(On::Services, world(), async |fleet: &Fleet| {
        fleet.everybody_signed_in_long_ago().await;
        fleet.simulator.reset_counters().await;
        let mut workers: Vec<_> = (0..WORKERS).map(|_| fleet.worker(&[]).start()).collect();
        let scheduler = fleet.scheduler(&["--every", "5s"]).start();
        let mut used = Vec::new();
        let mut spent = spent_on_bodies(fleet).await;
        let mut ticks = interval_at(Instant::now() + WINDOW, WINDOW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut since = Instant::now();
        // The first one holds the walks through all lists as well.
        for window in 0..=WINDOWS {
            ticks.tick().await;
            let now = spent_on_bodies(fleet).await;
            let windows = since.elapsed().as_secs_f64() / WINDOW.as_secs_f64();
            let part = (now - spent) / (LIMIT_TOKENS * windows);
            println!("window {window}: {:.0} tokens, {:.1} % of what is allowed", now - spent, 100.0 * part);
            used.push(part);
            (spent, since) = (now, Instant::now());
        }
        let counters = fleet.simulator.counters().await;
        println!("answers: {:?}, requests: {:?}", counters.responses, counters.requests);
        assert_eq!((counters.answers_with(429), counters.answers_with(420)), (0, 0));
        assert_eq!((counters.requests_before_expiry, counters.budget_overdrawn), (0, 0));
        let all = used[1..].iter().sum::<f64>() / f64::from(WINDOWS);
        let full = used[1..].iter().filter(|part| **part >= 0.9).count();
        println!("{:.1} % of all windows, {full} of {WINDOWS} with nine tenths or more", 100.0 * all);
        // A machine that stands still for a second or two, as shared ones do, costs one window; a fault costs all.
        assert!((0.9..=1.0).contains(&all) && full >= 8, "{used:?}");
        let stored = fleet.database.count("killmail").await as f64;
        let lists = counters.tokens_spent["char-killmail"] as f64;
        let floor = 2.0 * stored + 2.0 * counters.requests_to("list") as f64;
        let price = (spent_on_bodies(fleet).await + lists) / floor;
        println!("{stored} bodies, {lists} tokens on lists, {price:.3} of the least that it can cost");
        assert!(price <= 1.02, "{price}");
        workers.iter_mut().for_each(|worker| worker.signal("TERM"));
        scheduler.signal("TERM");
        for worker in workers {
            worker.ended().await.well();
        }
        scheduler.ended().await.well();
    });
}

async fn spent_on_bodies(fleet: &Fleet<'_>) -> f64 {
    fleet.simulator.counters().await.tokens_spent.get("killmail").copied().unwrap_or_default() as f64
}
