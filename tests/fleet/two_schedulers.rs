//! Several schedulers at once queue nothing twice.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value;

use crate::harness::{Fleet, On, Tick, World, fleet};

async fn ticks_at_once(fleet: &Fleet<'_>, schedulers: usize) -> Vec<Tick> {
    let ended = join_all((0..schedulers).map(|_| fleet.scheduler(&[]).run())).await;
    ended.into_iter().map(|ended| Tick::parse(&ended.well().stdout[0])).collect()
}

#[test]
fn two_queue_each_character_once() {
    fleet(On::Services, World::of(12, 30), async |fleet: &Fleet| {
        let ticks = ticks_at_once(fleet, 2).await;
        assert_eq!(ticks.iter().map(|tick| tick.queued_list).sum::<u64>(), 12, "{ticks:?}");
        assert_eq!(fleet.queues().ready("list").await, 12);
        fleet.drain().await;
        assert!(fleet.simulator.counters().await.list_calls_by_character.values().all(|calls| *calls == 1));
        fleet.is_true().await;
    });
}

#[test]
fn eight_queue_each_of_many_characters_once_and_each_killmail_too() {
    fleet(On::Services, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        // Rows that no worker will look at: the schedulers never open a token.
        fleet
            .database
            .execute(
                "insert into character (character_id, character_name)
                 select number, 'Pilot ' || number from generate_series(90000001, 90001200) number;
                 insert into token_stream (character_id, access_token_sealed, refresh_token_sealed, expires_at,
                                           granted_scopes)
                 select character_id, '\\x01', '\\x01', now() + interval '15 minutes' * (character_id % 2),
                        array['esi-killmails.read_killmails.v1']
                 from character;
                 insert into killmail_ref (killmail_id, killmail_hash)
                 select number, repeat('a', 40) from generate_series(1, 5100) number",
            )
            .await;
        let ticks = ticks_at_once(fleet, 8).await;
        let sum = |part: fn(&Tick) -> u64| ticks.iter().map(part).sum::<u64>();
        assert_eq!((sum(|tick| tick.queued_list), sum(|tick| tick.queued_refresh)), (600, 600), "{ticks:?}");
        assert_eq!(sum(|tick| tick.queued_detail_killmails), 5100, "{ticks:?}");
        assert_eq!((sum(|tick| tick.due), sum(|tick| tick.unconfirmed)), (1200, 0), "{ticks:?}");
        assert_eq!((fleet.queues().ready("list").await, fleet.queues().ready("refresh").await), (600, 600));

        let characters: BTreeSet<i64> =
            jobs(fleet, "list").await.iter().map(|job| number(&job["character_id"])).collect();
        assert_eq!(characters.len(), 600);
        let killmails: Vec<i64> = jobs(fleet, "detail")
            .await
            .iter()
            .flat_map(|job| {
                job["killmail_ids"].as_array().expect("it names killmails").iter().map(number).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(killmails.len(), 5100);
        assert_eq!(killmails.into_iter().collect::<BTreeSet<i64>>().len(), 5100);
        assert_eq!(fleet.tick(&[]).await, Tick::default(), "there is nothing left to queue");
    });
}

async fn jobs(fleet: &Fleet<'_>, queue: &str) -> Vec<Value> {
    let bodies = fleet.queues().bodies(queue).await;
    let message = |body: String| -> Value { serde_json::from_str(&body).expect("a message is JSON") };
    bodies.into_iter().map(|body| message(body)["job"].take()).collect()
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("an id is a number")
}
