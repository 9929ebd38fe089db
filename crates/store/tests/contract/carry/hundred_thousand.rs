//! A large file. By hand, because of the minutes that it takes:
//! `cargo test -p store --test contract hundred_thousand -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::arrange::{carry_at_once, fill_a_little};
use crate::harness::{Database, run_on_file_and_fleet};

const KILLMAILS: usize = 100_000;
/// With the victim.
const PARTICIPANTS_EACH: u64 = 9;
/// What a carriage may need beyond what a test needs in any case.
const MEMORY_KIB_MAX: u64 = 256 * 1024;

#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_killmails_are_carried_in_bounded_memory() {
    run_on_file_and_fleet(Duration::from_secs(600), carries_all);
}

async fn carries_all(file: Database, fleet: Database) {
    fill_a_little(&file).await;
    for statement in GENERATOR {
        file.run(statement.replace("KILLMAILS", &KILLMAILS.to_string())).await;
    }
    let before = peak_memory_kib();
    let started = Instant::now();
    let carried = carry_at_once(&file, &fleet).await;
    let took = started.elapsed();
    assert!(carried.finished_at.is_some(), "{carried:?}");
    for table in &carried.tables {
        eprintln!("{table:?}");
        assert_eq!(table.in_source, table.in_destination);
    }
    assert!(carried.tables[1].in_source >= KILLMAILS as u64 * PARTICIPANTS_EACH);
    let grown = peak_memory_kib() - before;
    eprintln!("{KILLMAILS} killmails in {took:?}, with {grown} KiB more memory");
    assert!(grown < MEMORY_KIB_MAX, "{grown} KiB");
}

/// The most that this process has had at once.
fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Killmails of some 3 KB, in SQLite's own words: nothing else could write them as fast.
const GENERATOR: [&str; 5] = [
    "with recursive number (id) as (select 1001 union all select id + 1 from number where id < 1000 + KILLMAILS)
     insert into killmail (killmail_id, killmail_hash, killmail_time, solar_system_id, body)
     select id, printf('%040x', id), strftime('%Y-%m-%dT%H:%M:%f000Z', 1600000000 + 60 * id, 'unixepoch'), 30000142,
            json_object('killmail_id', id, 'killmail_time', '2026-11-01T12:00:00Z', 'solar_system_id', 30000142,
                'victim', json_object('character_id', 90000000 + id % 1000, 'corporation_id', 98000001,
                    'ship_type_id', 587, 'damage_taken', id, 'position', json_object('x', 0.1 * id, 'y', -1.5e11),
                    'items', (select json_group_array(json_object('item_type_id', 2000 + value, 'flag', 5,
                                  'singleton', 0, 'quantity_dropped', value))
                              from json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]'))),
                'attackers', (select json_group_array(json_object('character_id', 91000000 + id + value,
                        'corporation_id', 98000000 + value, 'alliance_id', 99000000 + value, 'damage_done', value,
                        'final_blow', json('false'), 'security_status', -1.7, 'ship_type_id', 600 + value,
                        'weapon_type_id', 3000)) from json_each('[1,2,3,4,5,6,7,8]')))
     from number",
    "insert into killmail_participant
     select killmail_id, 0, 'victim', body ->> '$.victim.character_id', 98000001, null, null, 587 from killmail
     where killmail_id > 1000",
    "insert into killmail_participant
     select k.killmail_id, a.key + 1, 'attacker', a.value ->> 'character_id', a.value ->> 'corporation_id',
            a.value ->> 'alliance_id', null, a.value ->> 'ship_type_id'
     from killmail k, json_each(k.body, '$.attackers') a where k.killmail_id > 1000",
    "insert into killmail_ref (killmail_id, killmail_hash, state)
     select killmail_id, killmail_hash, 'stored' from killmail where killmail_id > 1000",
    "insert into character_killmail select c.character_id, k.killmail_id from character c, killmail k
     where k.killmail_id > 1000",
];
