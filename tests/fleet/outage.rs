//! ESI is out of order, or shut: nobody calls but one who asks for its status, nothing is held against a killmail, and
//! afterwards everything is there.

use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::{Exceptions, Fleet, On, Running, Tick, World, eventually, fleet, on_both};

on_both![
    in_an_outage_few_calls_are_made_and_then_only_its_status_is_asked,
    a_server_that_lets_nobody_in_stays_closed,
    a_killmail_or_a_route_that_always_fails_is_no_outage,
    in_the_downtime_nobody_calls_and_afterwards_status_has_to_say_open,
];

/// ESI's window has 15 minutes.
const WINDOW: Duration = Duration::from_secs(20);

const PAUSE: &str = "fleet_pause where scope = 'esi' and until > now()";

fn unavailable(on: &str) -> Value {
    json!([{ "on": on, "do": { "kind": "answer", "status": 503, "body": r#"{"error":"maintenance"}"# } }])
}

fn esi_paused(characters: u64) -> Tick {
    Tick { due: characters, skipped: [("esi_paused".to_owned(), characters)].into(), ..Tick::default() }
}

/// As if so much time had gone by that its status is to be asked, and that its last good answer holds no longer.
async fn status_is_to_be_asked(fleet: &Fleet<'_>) {
    let asked = "update esi_gate set probe_at = now(), good_until = null, downtime_ends_at = null";
    fleet.database.execute(asked).await;
}

async fn requests_to(fleet: &Fleet<'_>, routes: &[&str]) -> u64 {
    let counters = fleet.simulator.counters().await;
    routes.iter().map(|route| counters.requests_to(route)).sum()
}

/// What works until it is told to stop: so many workers, or one process.
fn working(fleet: &Fleet<'_>, on: On, workers: usize) -> Vec<Running> {
    match on {
        On::Services => (0..workers).map(|_| fleet.worker(&[]).start()).collect(),
        On::Standalone => vec![fleet.standalone(&[]).start()],
    }
}

async fn stop(mut working: Vec<Running>) {
    working.iter_mut().for_each(|process| process.signal("TERM"));
    for process in working {
        process.ended().await.well();
    }
}

fn in_an_outage_few_calls_are_made_and_then_only_its_status_is_asked(on: On) {
    fleet(on, World::of(6, 120).with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.forget_bodies().await;
        fleet.lists_have_expired().await;
        fleet.make_due().await;
        fleet.simulator.fault(unavailable("esi")).await;
        fleet.simulator.reset_counters().await;

        if on == On::Services {
            let queued = fleet.tick(&[]).await;
            assert_eq!((queued.queued_list, queued.queued_detail_killmails), (6, 120));
        }
        let workers = working(fleet, on, 2);
        let certain = "esi_gate where is_certain";
        eventually("it is certain", async || fleet.database.count(certain).await == 1).await;
        assert_eq!(fleet.database.count(PAUSE).await, 1);
        let in_hand = "killmail_ref where state = 'wanted' and lease_until is not null";
        eventually("all are put off", async || fleet.database.count(in_hand).await == 0).await;

        let calls = requests_to(fleet, &["list", "detail"]).await;
        assert!((5..=20).contains(&calls), "{calls} calls");
        for _ in 0..2 {
            let is_known = "esi_gate where probe_at > now() and probe_at < now() + interval '25 seconds'";
            eventually("what it said is known", async || fleet.database.count(is_known).await == 1).await;
            let asked = requests_to(fleet, &["status"]).await;
            status_is_to_be_asked(fleet).await;
            let is_asked = async || requests_to(fleet, &["status"]).await > asked;
            eventually("its status is asked", is_asked).await;
            eventually("what it said is known", async || fleet.database.count(is_known).await == 1).await;
            assert_eq!(requests_to(fleet, &["status"]).await, asked + 1, "by one worker, not by each");
        }
        assert_eq!(requests_to(fleet, &["list", "detail"]).await, calls, "and nothing else");
        assert_eq!(fleet.outputs.count(&["ERROR", "ESI is out of order"]), 1, "one alarm");
        // Nothing is held against what was not asked for, and nothing is given up.
        assert!(fleet.database.count("killmail_ref where attempt > 0").await <= i64::try_from(calls).unwrap());
        assert_eq!(fleet.database.count("killmail_ref where state not in ('wanted', 'stored')").await, 0);
        if on == On::Services {
            fleet.make_due().await;
            assert_eq!(fleet.tick(&[]).await, esi_paused(6), "bodies are not even queued");
        }

        fleet.simulator.heal().await;
        status_is_to_be_asked(fleet).await;
        eventually("the pause ends", async || fleet.database.count(PAUSE).await == 0).await;
        stop(workers).await;
        // Three bodies in a row that fail have a pause of their own, of some seconds.
        fleet.pauses_are_over().await;
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true_but(Exceptions { repeated_details: calls, ..Exceptions::default() }).await;
    });
}

fn a_server_that_lets_nobody_in_stays_closed(on: On) {
    fleet(on, World::of(3, 30), async |fleet: &Fleet| {
        fleet.database.execute("update esi_gate set closed_at = now() - interval '1 hour', probe_at = now()").await;
        let vip = json!({ "kind": "answer", "status": 200, "body": r#"{"players":3,"vip":true}"# });
        fleet.simulator.fault(json!([{ "on": "status", "do": vip }])).await;
        // Nobody has renewed the pause; whoever begins to work asks first.
        let workers = working(fleet, on, 1);
        eventually("it is known", async || fleet.database.count(PAUSE).await == 1).await;
        assert_eq!(fleet.database.count("fleet_pause where reason like '%vip%'").await, 1);
        stop(workers).await;
        assert_eq!(fleet.tick(&[]).await, esi_paused(3));
        fleet.drain().await;
        assert_eq!((requests_to(fleet, &["list", "detail"]).await, requests_to(fleet, &["status"]).await), (0, 1));

        fleet.simulator.heal().await;
        status_is_to_be_asked(fleet).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        // After so long lists are due one after the other.
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

fn a_killmail_or_a_route_that_always_fails_is_no_outage(on: On) {
    fleet(on, World::of(4, 60), async |fleet: &Fleet| {
        fleet.simulator.fault(unavailable("detail")).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert!(counters.requests_to("status") <= 1, "a suspicion is looked into once in a while");
        assert!(counters.requests_to("detail") >= 3);
        assert_eq!(fleet.outputs.count(&["ERROR", "ESI is out of order"]), 0);
        assert_eq!(fleet.database.count("esi_gate where is_certain").await, 0);

        // One that always fails among others, over and over.
        let killmail: Vec<(i64,)> = fleet.database.rows("select min(killmail_id) from killmail_ref").await;
        let bad = json!({ "kind": "answer", "status": 500 });
        fleet.simulator.fault(json!([{ "on": "detail", "killmail_id": killmail[0].0, "do": bad }])).await;
        status_is_to_be_asked(fleet).await;
        for _ in 0..6 {
            fleet.database.execute("delete from fleet_pause where scope = 'esi:killmail'").await;
            fleet.make_due().await;
            fleet.tick(&[]).await;
            fleet.drain().await;
        }
        assert_eq!(fleet.database.count("killmail_ref where state <> 'stored'").await, 1);
        assert_eq!(fleet.database.count("esi_gate where is_certain").await, 0);
        assert_eq!(fleet.database.count(PAUSE).await, 0);
    });
}

#[expect(clippy::disallowed_methods, reason = "the setting is made of times of the day")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn downtime_around_now() -> String {
    let minute = |minutes| (now() + TimeDelta::minutes(minutes)).format("%H:%M");
    format!("{}-{}", minute(-1), minute(3))
}

fn in_the_downtime_nobody_calls_and_afterwards_status_has_to_say_open(on: On) {
    fleet(on, World::of(5, 50), async |fleet: &Fleet| {
        let around_now = downtime_around_now();
        let works_in_it = async || {
            let ended = match on {
                On::Services => fleet.worker(&["--drain"]),
                On::Standalone => fleet.standalone(&["--drain"]),
            };
            ended.set("KILLFLEET_DOWNTIME", &around_now).run().await.well();
        };
        if on == On::Services {
            // Queued just before it began.
            assert_eq!(fleet.tick(&[]).await, Tick::only_listed(5));
        }
        works_in_it().await;
        assert_eq!(requests_to(fleet, &["list", "detail", "status"]).await, 0);
        let told = "fleet_pause where scope = 'esi' and reason like 'EVE''s daily downtime, %'";
        assert_eq!(fleet.database.count(told).await, 1);
        assert_eq!(fleet.database.count("character where attempt > 0").await, 0);
        fleet.make_due().await;
        assert_eq!(fleet.tick(&[]).await, esi_paused(5));
        works_in_it().await;
        assert_eq!(requests_to(fleet, &["list", "detail", "status"]).await, 0);

        // It is over by the clock, and EVE is not back yet.
        fleet.simulator.fault(unavailable("status")).await;
        status_is_to_be_asked(fleet).await;
        fleet.one_tick(&[]).run().await.well();
        fleet.drain().await;
        assert_eq!((requests_to(fleet, &["list", "detail"]).await, requests_to(fleet, &["status"]).await), (0, 1));
        assert_eq!(fleet.outputs.count(&["ERROR", "ESI is out of order"]), 0, "that is no outage");

        fleet.simulator.heal().await;
        status_is_to_be_asked(fleet).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        // After so long lists are due one after the other.
        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

async fn until(time: DateTime<Utc>) {
    sleep((time - now()).to_std().unwrap_or_default()).await;
}

/// In the middle of a long backlog, with ESI's limits in a shorter window. Minutes long, and it needs the machine for
/// itself.
#[test]
#[ignore = "takes minutes, and needs the machine for itself: .ci/run runs it"]
fn a_downtime_of_three_windows_is_kept_and_one_window_later_all_of_the_budget_is_used() {
    let world = World::of(40, 14_000)
        .nobody_signed_in()
        .takes_at_most(WINDOW * 25)
        .with(&format!("--window-seconds={}", WINDOW.as_secs()))
        .setting("KILLFLEET_LOG", "warn");
    fleet(On::Services, world, async |fleet: &Fleet| {
        fleet.everybody_signed_in_long_ago().await;
        fleet.simulator.reset_counters().await;
        // Half a minute of work at least, then one minute that the setting names.
        let soon = now() + TimeDelta::seconds(90);
        let begins = soon.duration_trunc(TimeDelta::minutes(1)).unwrap();
        let ends = begins + TimeDelta::minutes(1);
        let downtime = format!("{}-{}", begins.format("%H:%M"), ends.format("%H:%M"));
        let worker = || fleet.worker(&[]).set("KILLFLEET_DOWNTIME", &downtime).start();
        let workers: Vec<_> = (0..4).map(|_| worker()).collect();
        // To this window what a tick in one or two minutes is to ESI's.
        let scheduler = fleet.scheduler(&["--every", "2s"]).start();

        // What was sent in the last moment before is answered by then.
        until(begins + TimeDelta::milliseconds(500)).await;
        let before = requests_to(fleet, &["list", "detail"]).await;
        assert!(before > 500, "{before} calls");
        until(ends).await;
        assert_eq!(requests_to(fleet, &["list", "detail"]).await, before);
        assert_eq!(requests_to(fleet, &["status"]).await, 0, "nor is its status of any interest before the end");

        let window = TimeDelta::from_std(WINDOW).unwrap();
        let spent = async || fleet.simulator.counters().await.tokens_spent["killmail"] as f64;
        let kept = spent().await;
        let (mut spent_before, mut since) = (kept, ends);
        let mut parts = Vec::new();
        for number in 1..=3 {
            until(ends + window * number).await;
            let (spent_by_now, windows) = (spent().await, (now() - since).as_seconds_f64() / WINDOW.as_secs_f64());
            let part = (spent_by_now - spent_before) / (3600.0 * windows);
            println!("window {number} after the downtime: {:.1} % of what is allowed", 100.0 * part);
            parts.push(part);
            (spent_before, since) = (spent_by_now, now());
        }
        let counters = fleet.simulator.counters().await;
        println!("answers: {:?}, requests: {:?}", counters.responses, counters.requests);
        assert_eq!(counters.requests_to("status"), 1, "one good answer is enough");
        assert_eq!((counters.answers_with(429), counters.answers_with(420)), (0, 0));
        assert_eq!((counters.requests_before_expiry, counters.budget_overdrawn), (0, 0));
        // What begins one window later is at full speed. The first one lacks what goes by until the status was asked, up
        // to five seconds and another one, and until the next tick.
        assert!(parts[0] >= 0.5 && parts[1] >= 0.9 && parts.iter().all(|part| *part <= 1.0), "{parts:?}");
        stop(workers).await;
        stop(vec![scheduler]).await;
    });
}
