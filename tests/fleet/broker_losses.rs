//! The broker loses everything: the rows hint again after five minutes.

use crate::harness::{Fleet, On, Tick, World, fleet};

/// As if so much time had gone by that no hint is believed any more.
async fn hints_go_stale(fleet: &Fleet<'_>) {
    fleet
        .database
        .execute(
            "update character set hinted_at = hinted_at - interval '6 minutes';
             update killmail_ref set hinted_at = hinted_at - interval '6 minutes'",
        )
        .await;
}

#[test]
fn lost_hints_for_lists_and_tokens_are_given_again() {
    fleet(On::Services, World::of(4, 12), async |fleet: &Fleet| {
        let (character_id, _) = fleet.busiest().await;
        let expire = "update token_stream set expires_at = now()";
        fleet.database.execute(&format!("{expire} where character_id = {character_id}")).await;
        let tick = Tick { due: 4, queued_list: 3, queued_refresh: 1, ..Tick::default() };
        assert_eq!(fleet.tick(&[]).await, tick);
        assert_eq!((fleet.queues().purge("list").await, fleet.queues().purge("refresh").await), (3, 1));
        assert_eq!(fleet.tick(&[]).await, Tick::default(), "the hints are still believed");
        hints_go_stale(fleet).await;
        assert_eq!(fleet.tick(&[]).await, tick);
        fleet.drain().await;
        fleet.is_true().await;
    });
}

#[test]
fn deleted_queues_are_made_anew_and_lost_hints_for_bodies_are_given_again() {
    fleet(On::Services, World::of(4, 12), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain_lane("list").await;
        assert!(fleet.queues().ready("detail").await > 0);
        for queue in ["list", "detail", "refresh", "parked"] {
            fleet.queues().delete(queue).await;
        }
        fleet.drain().await;
        assert_eq!(fleet.database.count("killmail").await, 0, "there was nothing to work on");
        hints_go_stale(fleet).await;
        let killmails = fleet.simulator.truth().await.killmails.len() as u64;
        assert_eq!(fleet.tick(&[]).await, Tick { queued_detail_killmails: killmails, ..Tick::default() });
        fleet.drain().await;
        fleet.is_true().await;
    });
}
