//! Several processes renew one login at the same time: there is one token call, or one winner, whose token all use.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Exceptions, Fleet, On, Process, World, fleet, on_both};

on_both![
    commands_and_a_job_that_need_the_same_login_share_one_token_call,
    commands_that_need_the_same_login_and_are_refused_cost_it_one_strike,
    who_comes_too_late_uses_the_token_of_the_winner,
    who_comes_too_late_with_the_only_token_that_works_is_the_winner,
];

const COMMANDS: usize = 4;

fn token<'fleet>(fleet: &'fleet Fleet<'_>, character_id: i64) -> Process<'fleet> {
    fleet.killfleet(&["token", &character_id.to_string()])
}

async fn only_pilot(fleet: &Fleet<'_>) -> i64 {
    fleet.simulator.pilots().await[0].character_id
}

fn commands_and_a_job_that_need_the_same_login_share_one_token_call(on: On) {
    fleet(on, World::of(1, 3).with("--rotation=one-time-only"), async |fleet: &Fleet| {
        let character_id = only_pilot(fleet).await;
        fleet.let_tokens_expire().await;
        fleet.simulator.fault(json!([{ "on": "token", "do": { "kind": "delay", "milliseconds": 300 } }])).await;
        let job = match on {
            On::Services => {
                fleet.tick(&[]).await;
                fleet.worker(&["--drain"])
            }
            On::Standalone => fleet.one_tick(&[]),
        };
        let job = job.start();
        let commands = join_all((0..COMMANDS).map(|_| token(fleet, character_id).run())).await;
        job.ended().await.well();

        let calls = fleet.simulator.counters().await;
        assert_eq!(calls.token_calls_by_character[&character_id], 1);
        assert_eq!(calls.requests_to("list"), 1, "the job has had its token");
        let stored = token(fleet, character_id).run().await.well().stdout;
        for command in commands {
            assert_eq!(command.well().stdout, stored);
        }
        fleet.every_held_token_works().await;
        fleet.is_true().await;
    });
}

fn commands_that_need_the_same_login_and_are_refused_cost_it_one_strike(on: On) {
    fleet(on, World::of(1, 3), async |fleet: &Fleet| {
        let character_id = only_pilot(fleet).await;
        fleet.let_tokens_expire().await;
        fleet.simulator.revoke(character_id).await;
        fleet.simulator.fault(json!([{ "on": "token", "do": { "kind": "delay", "milliseconds": 300 } }])).await;
        for command in join_all((0..COMMANDS).map(|_| token(fleet, character_id).run())).await {
            command.with_code(1);
        }
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 1);
        let remembered = "token_stream where state = 'suspect' and strikes = 1 and last_error_code = 'invalid_grant'";
        assert_eq!(fleet.database.count(remembered).await, 1);
        fleet.is_true_but(Exceptions { unserved: vec![character_id], ..Exceptions::default() }).await;
    });
}

/// Two refreshes of one login: the first has been answered and waits for its answer, its lease has run out, and the
/// second goes through. What the two have printed.
async fn the_second_overtakes_the_first(fleet: &Fleet<'_>, second_is_granted: bool) -> [Vec<String>; 2] {
    let character_id = only_pilot(fleet).await;
    fleet.let_tokens_expire().await;
    fleet.simulator.fault(json!([{ "on": "token", "times": 1, "do": { "kind": "hold_answer" } }])).await;
    let first = token(fleet, character_id).start();
    fleet.simulator.has_bitten("hold_answer").await;
    fleet.refresh_leases_run_out().await;
    let second = token(fleet, character_id).run().await.with_code(i32::from(!second_is_granted));
    fleet.simulator.heal().await;
    let first = first.ended().await.well();
    assert_eq!(fleet.simulator.counters().await.requests_to("token"), 2);
    [first.stdout, second.stdout]
}

async fn nothing_is_harmed(fleet: &Fleet<'_>) {
    let well = "token_stream where state = 'active' and strikes = 0 and last_error_code is null and lease_until is null
                and expires_at > now()";
    assert_eq!(fleet.database.count(well).await, 1);
    fleet.every_held_token_works().await;
    fleet.tick(&[]).await;
    fleet.drain().await;
    fleet.is_true().await;
}

fn who_comes_too_late_uses_the_token_of_the_winner(on: On) {
    for flags in
        [&["--rotation=re-use"][..], &["--rotation=always"], &["--rotation=one-time-only", "--grace-seconds=600"]]
    {
        let world = flags.iter().fold(World::of(1, 3), |world, flag| world.with(flag));
        fleet(on, world, async |fleet: &Fleet| {
            let [first, second] = the_second_overtakes_the_first(fleet, true).await;
            assert_eq!(first, second, "{flags:?}: one token for both");
            assert_eq!(fleet.outputs.count(&["refresh ended", "lost_race"]), 1, "{flags:?}");
            nothing_is_harmed(fleet).await;
        });
    }
}

fn who_comes_too_late_with_the_only_token_that_works_is_the_winner(on: On) {
    fleet(on, World::of(1, 3).with("--rotation=one-time-only"), async |fleet: &Fleet| {
        let [first, second] = the_second_overtakes_the_first(fleet, false).await;
        assert_eq!((first.len(), second.len()), (1, 0));
        assert_eq!(fleet.database.count("token_event where detail = 'active -> suspect'").await, 1);
        nothing_is_harmed(fleet).await;
    });
}
