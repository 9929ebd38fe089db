//! Workers for some lanes only.

use crate::harness::{Fleet, On, World, fleet};

#[test]
fn each_does_its_own_and_nothing_else() {
    fleet(On::Services, World::of(4, 12), async |fleet: &Fleet| {
        let (character_id, _) = fleet.busiest().await;
        let expire = "update token_stream set expires_at = now()";
        fleet.database.execute(&format!("{expire} where character_id = {character_id}")).await;
        fleet.tick(&[]).await;
        let ready = async || {
            let details = u32::from(fleet.queues().ready("detail").await > 0);
            [fleet.queues().ready("refresh").await, fleet.queues().ready("list").await, details]
        };
        let requests = async || {
            let counters = fleet.simulator.counters().await;
            ["token", "list", "detail"].map(|route| counters.requests_to(route))
        };

        fleet.drain_lane("detail").await;
        assert_eq!((ready().await, requests().await), ([1, 3, 0], [0, 0, 0]));
        fleet.drain_lane("list").await;
        assert_eq!((ready().await, requests().await), ([1, 0, 1], [0, 3, 0]));
        fleet.drain_lane("refresh").await;
        assert_eq!((ready().await, requests().await), ([0, 1, 1], [1, 3, 0]));
        fleet.drain_lane("list").await;
        assert_eq!((ready().await, requests().await), ([0, 0, 1], [1, 4, 0]));
        fleet.drain_lane("detail").await;
        assert_eq!(ready().await, [0, 0, 0]);
        fleet.is_true().await;
    });
}
