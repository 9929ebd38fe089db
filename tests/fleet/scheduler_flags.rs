//! The scheduler's flags, and a broker that is not there.

use crate::harness::{Fleet, On, Tick, World, eventually, fleet, free_port, on_both};

on_both![one_character_only_and_all_pages_again,];

#[test]
fn a_dry_run_tells_the_same_numbers_and_changes_nothing() {
    fleet(On::Services, World::of(5, 15), async |fleet: &Fleet| {
        let [one, two, three] = {
            let pilots = fleet.simulator.pilots().await;
            [pilots[0].character_id, pilots[1].character_id, pilots[2].character_id]
        };
        fleet
            .database
            .execute(&format!(
                "update token_stream set expires_at = now() where character_id in ({one}, {two});
                 update token_stream set access_token_sealed = null, refresh_token_sealed = null
                 where character_id = {three};
                 insert into killmail_ref (killmail_id, killmail_hash) values (1, repeat('a', 40))"
            ))
            .await;
        let before = fleet.database.contents().await;
        let dry = fleet.tick(&["--dry-run"]).await;
        assert_eq!(fleet.database.contents().await, before);
        for queue in ["list", "detail", "refresh"] {
            assert_eq!(fleet.queues().ready(queue).await, 0);
        }
        let skipped = [("both_tokens_missing".to_owned(), 1)].into();
        let expected =
            Tick { due: 5, queued_list: 2, queued_refresh: 2, queued_detail_killmails: 1, skipped, ..Tick::default() };
        assert_eq!(dry, expected);
        assert_eq!(fleet.tick(&[]).await, dry);
        let ready = [
            fleet.queues().ready("list").await,
            fleet.queues().ready("refresh").await,
            fleet.queues().ready("detail").await,
        ];
        assert_eq!(ready, [2, 2, 1]);
    });
}

fn one_character_only_and_all_pages_again(on: On) {
    fleet(on, World::of(3, 20).with("--page-size=4").with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        let (character_id, killmail_ids) = fleet.busiest().await;
        let id = character_id.to_string();
        assert_eq!(fleet.tick(&["--character", &id]).await, Tick::only_listed(1));
        assert_eq!(fleet.tick(&["--character", &id]).await, Tick::default(), "its hint is out, or it is served");
        let unknown = fleet.one_tick(&["--character", "90000001"]).run().await.with_code(1);
        assert!(unknown.stderr.iter().any(|line| line.contains("90000001")), "{:?}", unknown.stderr);
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(2));
        fleet.drain().await;
        fleet.is_true().await;

        let pages = killmail_ids.len().div_ceil(4) as u64;
        assert!(pages > 2);
        for (flags, mode, expected) in [
            (["--force", "--character", &id].as_slice(), "new", 1),
            (&["--force", "--full", "--character", &id], "full", pages),
        ] {
            fleet.lists_have_expired().await;
            fleet.simulator.reset_counters().await;
            assert_eq!(fleet.tick(flags).await, Tick::only_listed(1));
            if on == On::Services {
                let bodies = fleet.queues().bodies("list").await;
                assert!(bodies[0].contains(&format!(r#""mode":"{mode}""#)), "{bodies:?}");
            }
            fleet.drain().await;
            assert_eq!(fleet.simulator.counters().await.requests_to("list"), expected, "{mode}");
        }
        fleet.is_true().await;
    });
}

#[test]
fn it_ticks_again_and_again_until_it_is_told_to_stop() {
    fleet(On::Services, World::of(3, 10), async |fleet: &Fleet| {
        let scheduler = fleet.scheduler(&["--every", "1s"]).start();
        let worker = fleet.worker(&[]).start();
        eventually("three ticks", async || scheduler.stdout().len() >= 3).await;
        scheduler.signal("TERM");
        let ticks: Vec<Tick> = scheduler.ended().await.well().stdout.iter().map(|line| Tick::parse(line)).collect();
        assert_eq!(ticks[0], Tick::only_listed(3));
        assert!(ticks[1..].iter().all(|tick| tick.due == 0), "{ticks:?}");
        eventually("all is done", async || {
            fleet.database.count("killmail_ref where state = 'stored'").await == 10
                && fleet.database.count("character where last_synced_at is not null").await == 3
        })
        .await;
        worker.signal("INT");
        worker.ended().await.well();
        fleet.is_true().await;
    });
}

#[test]
fn a_broker_that_is_not_there_loses_nothing() {
    fleet(On::Services, World::of(3, 10), async |fleet: &Fleet| {
        let nowhere = format!("amqp://guest:guest@127.0.0.1:{}/%2f", free_port());
        let ended = fleet.scheduler(&[]).set("KILLFLEET_AMQP_URL", &*nowhere).run().await.with_code(1);
        assert!(ended.stdout.is_empty(), "there is nothing to sum up: {:?}", ended.stdout);
        assert!(ended.stderr.iter().any(|line| line.contains("no broker answers at 127.0.0.1")), "{:?}", ended.stderr);
        assert_eq!(fleet.database.count("character where hinted_at is not null").await, 0);
        assert_eq!(fleet.tick(&[]).await, Tick::only_listed(3));
        fleet.drain().await;
        fleet.is_true().await;
    });
}
