//! The oracle is worth something only if it notices: each of these must be seen.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use crate::harness::{Fleet, On, World, fleet, on_both};

on_both![it_notices_what_is_wrong,];

/// (what is wrong, how it is brought about, how it is undone)
type Wrong = (&'static str, &'static str, &'static str);

const ONE_NUMBER_IN_POSTGRESQL: Wrong = (
    "one number in a body",
    "update killmail set body = jsonb_set(body, '{victim,damage_taken}', to_jsonb((body #>> '{victim,damage_taken}')::bigint + 1))",
    "update killmail set body = jsonb_set(body, '{victim,damage_taken}', to_jsonb((body #>> '{victim,damage_taken}')::bigint - 1))",
);

const ONE_NUMBER_IN_SQLITE: Wrong = (
    "one number in a body",
    "update killmail set body = json_set(body, '$.victim.damage_taken', (body ->> '$.victim.damage_taken') + 1)",
    "update killmail set body = json_set(body, '$.victim.damage_taken', (body ->> '$.victim.damage_taken') - 1)",
);

const WRONGS: [Wrong; 12] = [
    (
        "a participant too many",
        "insert into killmail_participant (killmail_id, participant_index, role)
         select killmail_id, 9999, 'attacker' from killmail order by 1 limit 1",
        "delete from killmail_participant where participant_index = 9999",
    ),
    (
        "a killmail that nobody listed",
        "insert into killmail (killmail_id, killmail_hash, killmail_time, solar_system_id, body)
         select 1, killmail_hash, killmail_time, solar_system_id, body from killmail limit 1",
        "delete from killmail where killmail_id = 1",
    ),
    (
        "another hash",
        "update killmail set killmail_hash = 'a' || killmail_hash",
        "update killmail set killmail_hash = substr(killmail_hash, 2)",
    ),
    (
        "another time",
        "update killmail set killmail_time = killmail_time + interval '1 second'",
        "update killmail set killmail_time = killmail_time - interval '1 second'",
    ),
    (
        "a reference that the list does not show",
        "insert into character_killmail select character_id, 1 from character",
        "delete from character_killmail where killmail_id = 1",
    ),
    ("a wanted killmail", "update killmail_ref set state = 'wanted'", "update killmail_ref set state = 'stored'"),
    ("a lease", "update character set lease_until = now()", "update character set lease_until = null"),
    ("a hint", "update killmail_ref set hinted_at = now()", "update killmail_ref set hinted_at = null"),
    (
        "a lease on a login",
        "update token_stream set lease_until = now() + interval '1 hour'",
        "update token_stream set lease_until = null",
    ),
    ("a strike", "update token_stream set strikes = 1", "update token_stream set strikes = 0"),
    ("a login that is out", "update token_stream set state = 'dead'", "update token_stream set state = 'active'"),
    (
        "a pause",
        "insert into fleet_pause (scope, reason, until) values ('esi', 'a test', now() + interval '1 hour')",
        "delete from fleet_pause",
    ),
];

async fn is_noticed(fleet: &Fleet<'_>) -> bool {
    AssertUnwindSafe(fleet.is_true()).catch_unwind().await.is_err()
}

fn it_notices_what_is_wrong(on: On) {
    fleet(on, World::of(2, 6), async |fleet: &Fleet| {
        assert!(is_noticed(fleet).await, "nothing is stored yet");
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
        let one_number = match on {
            On::Services => ONE_NUMBER_IN_POSTGRESQL,
            On::Standalone => ONE_NUMBER_IN_SQLITE,
        };
        for (what, bring_about, undo) in [one_number].into_iter().chain(WRONGS) {
            assert!(fleet.database.execute(bring_about).await > 0, "{what}");
            assert!(is_noticed(fleet).await, "{what}");
            fleet.database.execute(undo).await;
            fleet.is_true().await;
        }
        let new = fleet.simulator.fight(&[fleet.busiest().await.0], 1).await;
        assert!(is_noticed(fleet).await, "killmail {} is not stored", new[0]);
    });
}

#[test]
fn it_notices_what_is_left_in_a_queue() {
    fleet(On::Services, World::of(2, 6), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        assert!(is_noticed(fleet).await, "a list is not the parked queue");
        fleet.drain().await;
        fleet.is_true().await;
        fleet.queues().publish("detail", b"left over").await;
        assert!(is_noticed(fleet).await, "a message in a queue");
    });
}
