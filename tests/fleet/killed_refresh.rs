//! Killed at each step of a refresh. A login is lost only where nobody can help it: the provider forgets the old refresh
//! token at once, and its answer had not been saved. Then the row says so.
//!
//! There is one character, so that the process that is killed does nothing else than what the test is about.

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, On, Running, Tick, World, eventually, fleet, on_both};

on_both![
    before_the_call,
    while_the_provider_has_not_begun,
    while_the_answer_is_on_its_way,
    when_the_answer_is_there_and_not_saved,
    when_the_new_refresh_token_is_saved_and_the_rest_is_not,
    when_everything_is_saved_no_second_refresh_follows,
];

/// Flags of the simulator, and whether a consumed refresh token is dead.
const PROVIDERS: [(&[&str], bool); 5] = [
    (&["--rotation=re-use"], false),
    (&["--rotation=always"], false),
    (&["--rotation=one-time-only", "--grace-seconds=600"], false),
    (&["--rotation=one-time-only"], true),
    (&["--rotation=one-time-only", "--replay=revoke-login"], true),
];

/// What stops the process at the step at which it is killed.
enum Stop {
    /// The simulator does not answer on this route.
    Fault(Value),
    /// The database does not take another refresh token.
    Database,
}

struct Step {
    stop: fn() -> Stop,
    /// The provider has done its work, and nothing of it was saved.
    is_unsaved: bool,
    /// With those of the killed process.
    token_calls: u64,
}

impl Step {
    fn on_each_provider(&self, on: On) {
        for (flags, forgets) in PROVIDERS {
            // Where the token stays the same, there is no other one to save.
            let is_met = !matches!((self.stop)(), Stop::Database) || flags[0] != "--rotation=re-use";
            if is_met {
                self.on_provider(on, flags, self.is_unsaved && forgets);
            }
        }
    }

    fn on_provider(&self, on: On, flags: &[&str], is_lost: bool) {
        let world = flags.iter().fold(World::of(1, 5), |world, flag| world.with(flag));
        fleet(on, world, async |fleet: &Fleet| {
            fleet.let_tokens_expire().await;
            self.kill_there(fleet, on).await;
            fleet.refresh_leases_run_out().await;
            if on == On::Services {
                let ready = async |lane| fleet.queues().ready(lane).await;
                eventually("the message is back", async || ready("refresh").await + ready("list").await == 1).await;
            } else {
                fleet.tick(&[]).await;
            }
            fleet.drain().await;

            let character_id = fleet.simulator.pilots().await[0].character_id;
            let calls = fleet.simulator.counters().await.token_calls_by_character[&character_id];
            assert_eq!(calls, self.token_calls, "{flags:?}");
            if is_lost {
                let told = "token_stream where state = 'suspect' and strikes = 1 and last_error_code = 'lost_answer'";
                assert_eq!(fleet.database.count(told).await, 1, "{flags:?}");
                let unserved = vec![character_id];
                return fleet.is_true_but(Exceptions { unserved, ..Exceptions::default() }).await;
            }
            let well =
                "token_stream where state = 'active' and strikes = 0 and lease_until is null and expires_at > now()";
            assert_eq!(fleet.database.count(well).await, 1, "{flags:?}");
            fleet.every_held_token_works().await;
            fleet.is_true().await;
        });
    }

    async fn kill_there(&self, fleet: &Fleet<'_>, on: On) {
        match (self.stop)() {
            Stop::Fault(fault) => {
                fleet.simulator.fault(json!([fault])).await;
                let running = begin(fleet, on).await;
                fleet.simulator.has_bitten(fault["do"]["kind"].as_str().expect("a fault has a kind")).await;
                running.kill().await;
                fleet.simulator.heal().await;
            }
            Stop::Database => {
                fleet.database.execute(refuse_new_tokens(on)).await;
                let running = begin(fleet, on).await;
                running.says("a new refresh token is not saved yet").await;
                running.kill().await;
                fleet.database.execute(take_new_tokens(on)).await;
            }
        }
    }
}

/// The process that is killed.
async fn begin(fleet: &Fleet<'_>, on: On) -> Running {
    match on {
        On::Services => {
            assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(1));
            fleet.worker(&["--drain"]).start()
        }
        On::Standalone => fleet.standalone(&["--drain"]).start(),
    }
}

fn refuse_new_tokens(on: On) -> &'static str {
    match on {
        On::Services => {
            "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;
             create trigger refuse before update of refresh_token_version on token_stream
             for each row execute function refuse()"
        }
        On::Standalone => {
            "create trigger refuse before update of refresh_token_version on token_stream
             begin select raise(abort, 'refused'); end"
        }
    }
}

fn take_new_tokens(on: On) -> &'static str {
    match on {
        On::Services => "drop trigger refuse on token_stream; drop function refuse()",
        On::Standalone => "drop trigger refuse",
    }
}

fn before_the_call(on: On) {
    // The token route is looked up after the claim.
    let stop = || Stop::Fault(json!({ "on": "discovery", "do": { "kind": "hold" } }));
    Step { stop, is_unsaved: false, token_calls: 1 }.on_each_provider(on);
}

fn while_the_provider_has_not_begun(on: On) {
    let stop = || Stop::Fault(json!({ "on": "token", "do": { "kind": "hold" } }));
    Step { stop, is_unsaved: false, token_calls: 2 }.on_each_provider(on);
}

fn while_the_answer_is_on_its_way(on: On) {
    let stop = || Stop::Fault(json!({ "on": "token", "do": { "kind": "hold_answer" } }));
    Step { stop, is_unsaved: true, token_calls: 2 }.on_each_provider(on);
}

fn when_the_answer_is_there_and_not_saved(on: On) {
    Step { stop: || Stop::Database, is_unsaved: true, token_calls: 2 }.on_each_provider(on);
}

fn when_the_new_refresh_token_is_saved_and_the_rest_is_not(on: On) {
    // The keys are asked for before the access token is believed. Where the refresh token stays, nothing is saved yet.
    let stop = || Stop::Fault(json!({ "on": "jwks", "do": { "kind": "hold" } }));
    Step { stop, is_unsaved: false, token_calls: 2 }.on_each_provider(on);
}

fn when_everything_is_saved_no_second_refresh_follows(on: On) {
    let stop = || Stop::Fault(json!({ "on": "list", "do": { "kind": "hold" } }));
    Step { stop, is_unsaved: false, token_calls: 1 }.on_each_provider(on);
}
