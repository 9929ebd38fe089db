//! EVE SSO refuses everybody at once: it is not believed, nobody is harmed, and one login after the other is tried
//! until it is well again.

use serde_json::json;

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![a_wave_over_400_logins_marks_five_and_the_first_canary_that_is_granted_ends_it,];

const LOGINS: u64 = 400;
const HARMED: &str = "token_stream where state <> 'active' or strikes > 0 or next_probe_at is not null";
const PAUSE: &str = "fleet_pause where scope = 'sso' and until > now()";

fn a_wave_over_400_logins_marks_five_and_the_first_canary_that_is_granted_ends_it(on: On) {
    fleet(on, World::of(400, 40).nobody_signed_in(), async |fleet: &Fleet| {
        fleet.everybody_signed_in_long_ago().await;
        fleet.simulator.fault(json!([{ "on": "token", "do": { "kind": "invalid_grant" } }])).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(LOGINS));
        fleet.drain_with_workers(3).await;

        assert_eq!(fleet.database.count(HARMED).await, 5);
        assert_eq!(fleet.database.count(PAUSE).await, 1);
        let calls = fleet.simulator.counters().await.requests_to("token");
        // Some were under way in other hands before they knew.
        assert!((6..60).contains(&calls), "{calls} token calls, although all refreshes pause after six");
        let alarms = || fleet.outputs.count(&["ERROR", "all refreshes pause"]);
        assert_eq!(alarms(), 1, "one alarm, not one for each login");

        // One login is tried at a time, and nobody else.
        for canaries_refused in 1..=3 {
            fleet.make_due().await;
            fleet.let_a_canary_be_due().await;
            assert_eq!(fleet.tick(&[]).await, paused(1));
            fleet.drain().await;
            assert_eq!(fleet.simulator.counters().await.requests_to("token"), calls + canaries_refused);
        }
        assert_eq!(fleet.tick(&[]).await, paused(0), "not more often than once in a minute");
        fleet.drain().await;
        let told = format!("{PAUSE} and reason like '%3 have been refused since%'");
        assert_eq!(fleet.database.count(&told).await, 1);
        assert_eq!(fleet.database.count(HARMED).await, 5);

        // EVE SSO is well again.
        fleet.simulator.heal().await;
        fleet.let_a_canary_be_due().await;
        assert_eq!(fleet.tick(&[]).await, paused(1));
        fleet.drain().await;
        assert_eq!(fleet.database.count(PAUSE).await, 0);
        assert_eq!(alarms(), 1);
        fleet.database.execute("update token_stream set next_probe_at = now() where next_probe_at is not null").await;
        fleet.make_due().await;
        let served = fleet.tick(&[]).await;
        // The canary's access token is good by now.
        assert_eq!((served.queued_refresh, served.queued_list, served.due), (LOGINS - 1, 1, LOGINS));
        fleet.drain_with_workers(3).await;
        fleet.is_true().await;
    });
}

/// The five that were marked wait for their probes.
fn paused(canaries: u64) -> Tick {
    let skipped = [("sso_paused".to_owned(), LOGINS - 5), ("waiting_for_probe".to_owned(), 5)].into();
    Tick { due: LOGINS, skipped, queued_exercise: canaries, ..Tick::default() }
}
