//! Refreshes that fail for no fault of the user: nothing is held against a login.

use serde_json::{Value, json};

use crate::harness::{Fleet, On, Process, Tick, World, fleet, on_both};

on_both![
    a_refused_client_pauses_all_refreshes_and_touches_no_login,
    trouble_of_the_token_route_is_remembered_against_nobody,
];

const HARMED: &str = "token_stream where state <> 'active' or strikes > 0 or next_probe_at is not null";

fn a_refused_client_pauses_all_refreshes_and_touches_no_login(on: On) {
    fleet(on, World::of(10, 20), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        let wrongly = async |process: Process<'_>| process.set("KILLFLEET_CLIENT_SECRET", "another-secret").run().await;
        let ticked = wrongly(fleet.one_tick(&[])).await.well();
        assert_eq!(Tick::parse(&ticked.stdout[0]), Tick::only_refreshed(10));
        if on == On::Services {
            wrongly(fleet.worker(&["--drain"])).await.well();
        }

        assert_eq!(fleet.database.count(HARMED).await, 0);
        let pauses: Vec<(String,)> = fleet.database.rows("select scope from fleet_pause where until > now()").await;
        assert_eq!(pauses, [("sso".to_owned(),)]);
        let calls = fleet.simulator.counters().await.requests_to("token");
        // Four at once, before the first refusal is known.
        assert!((1..=4).contains(&calls), "{calls} token calls, although the first refusal says it all");
        let waiting = "character where last_verdict = 'retry' and last_reason is not null and next_sync_at > now()";
        assert_eq!(fleet.database.count(waiting).await, 10);

        assert_eq!(fleet.outputs.count(&["ERROR", "EVE SSO refuses our client"]), 1, "one alarm");

        // While it lasts nobody is queued who would have to wait.
        fleet.make_due().await;
        let skipped = [("sso_paused".to_owned(), 10)].into();
        assert_eq!(fleet.tick(&[]).await, Tick { due: 10, skipped, ..Tick::default() });

        // It goes on after the pause: longer, and told as an alarm no more.
        fleet.pauses_are_over().await;
        wrongly(fleet.one_tick(&[])).await.well();
        if on == On::Services {
            wrongly(fleet.worker(&["--drain"])).await.well();
        }
        let longer = "fleet_pause where scope = 'sso' and until > now() + interval '35 seconds'";
        assert_eq!(fleet.database.count(longer).await, 1);
        assert_eq!(fleet.outputs.count(&["ERROR", "EVE SSO refuses our client"]), 1, "one alarm");

        // With the right secret, and after the pause, everything is as it should be.
        fleet.pauses_are_over().await;
        fleet.make_due().await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(10));
        fleet.drain().await;
        assert_eq!(fleet.database.count("sso_breaker where client_refusals > 0").await, 0);
        fleet.is_true().await;
    });
}

fn trouble_of_the_token_route_is_remembered_against_nobody(on: On) {
    fleet(on, World::of(3, 10), async |fleet: &Fleet| {
        fleet.let_tokens_expire().await;
        let troubles: [Value; 7] = [
            json!({ "kind": "answer", "status": 503, "body": "<html>maintenance</html>" }),
            json!({ "kind": "answer", "status": 500, "body": "{\"error\":\"server_error\"}" }),
            json!({ "kind": "html" }),
            json!({ "kind": "reset" }),
            json!({ "kind": "lost_answer" }),
            json!({ "kind": "truncate" }),
            json!({ "kind": "wrong_types" }),
        ];
        for (number, trouble) in (1..).zip(&troubles) {
            fleet.simulator.fault(json!([{ "on": "token", "do": trouble }])).await;
            fleet.make_due().await;
            assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(3), "{trouble}");
            fleet.drain().await;
            assert_eq!(fleet.database.count(HARMED).await, 0, "{trouble}");
            let remembered = "token_stream where last_error_code is not null and last_error is not null and coalesce(lease_until, now()) <= now()";
            assert_eq!(fleet.database.count(remembered).await, 3, "{trouble}");
            let put_off = format!(
                "character where last_verdict = 'retry' and last_reason is not null and attempt = {number}
                 and next_sync_at > now() and hinted_at is null"
            );
            assert_eq!(fleet.database.count(&put_off).await, 3, "{trouble}");
            assert_eq!(fleet.simulator.counters().await.requests_to("list"), 0, "{trouble}");
        }
        // To be told to wait costs no attempt.
        let wait = json!({ "kind": "answer", "status": 429, "headers": { "Retry-After": "60" } });
        fleet.simulator.fault(json!([{ "on": "token", "do": wait }])).await;
        fleet.make_due().await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(3));
        fleet.drain().await;
        assert_eq!(fleet.database.count(HARMED).await, 0);
        let waiting = "character where attempt = 7 and next_sync_at between now() + interval '50 seconds' and now() + interval '60 seconds'";
        assert_eq!(fleet.database.count(waiting).await, 3);

        fleet.simulator.heal().await;
        fleet.pauses_are_over().await;
        fleet.make_due().await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(3));
        fleet.drain().await;
        assert_eq!(fleet.database.count("character where attempt > 0").await, 0);
        fleet.is_true().await;
    });
}
