//! Logins that nobody needs are kept alive, and refused ones are probed, whoever else serves their characters.

use crate::harness::{Fleet, On, Tick, World, fleet, on_both};

on_both![
    a_login_that_was_not_used_for_twenty_days_is_refreshed_although_its_character_is_idle,
    a_refused_login_is_probed_although_another_one_serves,
];

fn only_exercised(streams: u64) -> Tick {
    Tick { queued_exercise: streams, ..Tick::default() }
}

fn a_login_that_was_not_used_for_twenty_days_is_refreshed_although_its_character_is_idle(on: On) {
    fleet(on, World::of(3, 10), async |fleet: &Fleet| {
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(3));
        fleet.drain().await;
        fleet.simulator.reset_counters().await;
        let unused = "update token_stream set last_refreshed_at = now() - interval '20 days'
                      where token_stream_id in (1, 2)";
        fleet.database.execute(unused).await;
        fleet.database.execute("update token_stream set state = 'dead' where token_stream_id = 2").await;
        assert_eq!(fleet.tick(&[]).await, only_exercised(1));
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!((counters.requests_to("token"), counters.requests_to("list")), (1, 0));
        let refreshed = "token_stream where token_stream_id = 1 and last_refreshed_at > now() - interval '1 minute'";
        assert_eq!(fleet.database.count(refreshed).await, 1);
        assert_eq!(fleet.tick(&[]).await, Tick::default());
        fleet.database.execute("update token_stream set state = 'active'").await;
        fleet.is_true().await;
    });
}

fn a_refused_login_is_probed_although_another_one_serves(on: On) {
    fleet(on, World::of(1, 5), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        let token = fleet.simulator.login(character_id).await;
        fleet.add(character_id, &token).run().await.well();
        fleet.simulator.reset_counters().await;
        fleet
            .database
            .execute(
                "update token_stream set state = 'suspect', strikes = 1, first_refused_at = now() - interval '1 hour',
                                         next_probe_at = now() - interval '1 minute', expires_at = now()
                 where token_stream_id = 1",
            )
            .await;
        let tick = Tick { due: 1, queued_list: 1, queued_exercise: 1, ..Tick::default() };
        assert_eq!(fleet.tick(&[]).await, tick);
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 1);
        assert_eq!(fleet.database.count("token_stream where state = 'active'").await, 2);
        assert_eq!(fleet.database.count("token_event where detail = 'suspect -> active'").await, 1);
        fleet.is_true().await;
    });
}
