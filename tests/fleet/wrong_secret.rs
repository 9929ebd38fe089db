//! One process with another client secret than the others: it stops nobody for long, and the operator is told once.

use crate::harness::{Fleet, On, Process, Tick, World, fleet, on_both};

on_both![
    a_command_with_another_secret_stops_nobody_and_says_what_to_do,
    while_one_process_has_another_secret_the_operator_is_told_once,
];

fn wrongly(process: Process<'_>) -> Process<'_> {
    process.set("KILLFLEET_CLIENT_SECRET", "another-secret")
}

fn a_command_with_another_secret_stops_nobody_and_says_what_to_do(on: On) {
    fleet(on, World::of(2, 6), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        let id = fleet.simulator.pilots().await[0].character_id.to_string();
        for _ in 0..2 {
            let ended = wrongly(fleet.killfleet(&["token", &id])).run().await.with_code(2);
            assert!(ended.stdout.is_empty(), "{:?}", ended.stdout);
            let told = ended.stderr.last().unwrap();
            let words = ["401 invalid_client", "check KILLFLEET_CLIENT_ID and KILLFLEET_CLIENT_SECRET"];
            assert!(words.iter().all(|words| told.contains(words)), "{told}");
        }
        assert_eq!(fleet.simulator.counters().await.answers_with(401), 2, "no pause has kept the second one");
        assert_eq!(fleet.database.count("fleet_pause").await, 0);
        let touched =
            "sso_breaker where opened_at is not null or client_refusals > 0 or client_refused_until is not null";
        assert_eq!(fleet.database.count(touched).await, 0);
        assert_eq!(fleet.outputs.count(&["all refreshes pause"]), 0);

        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(2));
        fleet.drain().await;
        fleet.is_true().await;
    });
}

fn while_one_process_has_another_secret_the_operator_is_told_once(on: On) {
    fleet(on, World::of(3, 6).with("--list-ttl-seconds=1").with("--window-seconds=1"), async |fleet: &Fleet| {
        for _ in 0..3 {
            fleet.let_tokens_expire().await;
            fleet.lists_have_expired().await;
            fleet.make_due().await;
            wrongly(fleet.one_tick(&["--force"])).run().await.well();
            if on == On::Services {
                wrongly(fleet.worker(&["--drain"])).run().await.well();
            }
            let short = "fleet_pause where scope = 'sso' and until <= now() + interval '30 seconds'";
            assert_eq!(fleet.database.count(short).await, 1);

            // The others go on after the pause.
            fleet.pauses_are_over().await;
            fleet.make_due().await;
            assert_eq!(fleet.tick(&["--force"]).await, Tick::only_refreshed(3));
            fleet.drain().await;
        }
        assert_eq!(fleet.outputs.count(&["ERROR", "EVE SSO refuses our client"]), 1, "one alarm");
        assert_eq!(fleet.outputs.count(&["WARN", "EVE SSO still refuses our client"]), 2);
        assert_eq!(fleet.outputs.count(&["ERROR"]), 1);
        fleet.is_true().await;
    });
}
