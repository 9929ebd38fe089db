//! Whether ESI is open: one answer for the whole fleet, and one process that asks.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::downtime::Downtime;
use domain::pace::BODIES;
use store::due::DueFilter;
use store::pause::{SCOPE_BODIES, SCOPE_ESI};

use crate::harness::arrange::character;
use crate::harness::{Database, at_once, contract};

contract![
    many_who_suspect_at_once_begin_one_pause_and_one_of_them_asks,
    what_status_says_ends_the_pause_or_makes_it_certain_once,
    whoever_asks_and_dies_is_followed_by_another,
    a_downtime_closes_until_status_says_open_after_its_end,
    after_a_long_pause_nothing_begins_with_a_burst,
    after_a_short_one_everything_is_as_it_was,
];

const LIVES: Duration = Duration::from_secs(31);

/// The reason, and the seconds that are left.
async fn pause(database: &Database) -> Option<(String, u64)> {
    let pauses = database.store.pauses().await.unwrap();
    let pause = pauses.into_iter().find(|pause| pause.scope == SCOPE_ESI);
    pause.map(|pause| (pause.reason, pause.remaining.as_secs()))
}

async fn claim(database: &Database) -> bool {
    database.store.claim_esi_probe().await.unwrap()
}

async fn many_who_suspect_at_once_begin_one_pause_and_one_of_them_asks(database: Database) {
    assert!(!claim(&database).await, "nobody asks while all is well");
    let suspected = at_once(&database, 0..6, |database: Database, _| async move {
        database.store.suspect_esi("five calls in a row have failed").await.unwrap()
    })
    .await;
    assert_eq!(suspected.iter().filter(|is_first| **is_first).count(), 1);
    let (reason, seconds) = pause(&database).await.unwrap();
    assert_eq!(reason, "five calls in a row have failed");
    assert!((590..=600).contains(&seconds), "{seconds}");
    let claimed = at_once(&database, 0..6, |database: Database, _| async move { claim(&database).await }).await;
    assert_eq!(claimed.iter().filter(|is_claimed| **is_claimed).count(), 1);
}

async fn what_status_says_ends_the_pause_or_makes_it_certain_once(database: Database) {
    let store = &database.store;
    assert!(!store.esi_is_closed("503", Duration::ZERO, 0.5).await.unwrap());
    assert_eq!((store.esi_is_open(LIVES).await.unwrap(), pause(&database).await), (None, None));

    store.suspect_esi("five calls in a row have failed").await.unwrap();
    assert!(claim(&database).await);
    assert!(!store.esi_is_open(LIVES).await.unwrap().unwrap().was_certain);
    assert_eq!(pause(&database).await, None);
    assert!(!store.suspect_esi("again").await.unwrap(), "ESI's answer holds for half a minute");

    database.run("update esi_gate set good_until = now() - interval '1 second'").await;
    assert!(store.suspect_esi("again").await.unwrap());
    assert!(claim(&database).await);
    assert!(store.esi_is_closed("ESI is not available (503)", Duration::ZERO, 0.5).await.unwrap());
    assert!(!store.esi_is_closed("ESI is not available (504)", Duration::ZERO, 0.5).await.unwrap());
    assert_eq!(pause(&database).await.unwrap().0, "ESI is not available (504)");
    assert!(!claim(&database).await, "some seconds later");
    let asks = database.number("select extract(epoch from probe_at - now()) as seconds from esi_gate").await;
    assert!((10.0..=20.0).contains(&asks), "{asks}");
    assert!(store.esi_is_open(LIVES).await.unwrap().unwrap().was_certain);
    assert_eq!(pause(&database).await, None);
}

async fn whoever_asks_and_dies_is_followed_by_another(database: Database) {
    database.store.suspect_esi("five calls in a row have failed").await.unwrap();
    assert!(claim(&database).await && !claim(&database).await);
    let lease = database.number("select extract(epoch from probe_at - now()) as seconds from esi_gate").await;
    assert!((35.0..=45.0).contains(&lease), "{lease}");
    database.run("update esi_gate set probe_at = now() - interval '1 second'").await;
    assert!(claim(&database).await);
}

/// All of the day but the next minute but one, so that now lies in it.
async fn around_now(database: &Database) -> Downtime {
    let now = database.store.now().await.unwrap();
    let minute = |minutes| (now + chrono::TimeDelta::minutes(minutes)).format("%H:%M");
    format!("{}-{}", minute(-1), minute(2)).parse().unwrap()
}

async fn a_downtime_closes_until_status_says_open_after_its_end(database: Database) {
    let store = &database.store;
    let downtime = around_now(&database).await;
    let begun = at_once(&database, 0..6, |database: Database, _| async move {
        database.store.keep_downtime(&downtime, 0.5).await.unwrap()
    })
    .await;
    assert_eq!(begun.iter().filter(|is_first| **is_first).count(), 1);
    let (reason, seconds) = pause(&database).await.unwrap();
    assert_eq!(reason, format!("EVE's daily downtime, {downtime}"));
    assert!((655..=780).contains(&seconds), "{seconds}");
    assert!(!claim(&database).await && !store.suspect_esi("503").await.unwrap());
    assert_eq!(store.esi_is_open(LIVES).await.unwrap(), None, "whoever asked before it began");

    database
        .run("update esi_gate set downtime_ends_at = now() - interval '1 second', probe_at = now() - interval '1 second'")
        .await;
    assert!(pause(&database).await.is_some() && claim(&database).await);
    assert!(!store.esi_is_closed("VIP", LIVES, 0.0).await.unwrap(), "nobody is alarmed");
    assert_eq!(pause(&database).await.unwrap().0, format!("EVE's daily downtime, {downtime}"), "which is longer");
    assert!(store.esi_is_open(LIVES).await.unwrap().is_some());
    assert_eq!(pause(&database).await, None);
}

/// Three characters that are due, and one whose list is being walked.
async fn due(database: &Database) {
    for number in 1..=4 {
        database.character(number).await;
    }
    database.run("update character set next_sync_at = now() - interval '1 hour'").await;
    database.list(character(4)).await;
}

async fn found_due(database: &Database) -> usize {
    database.store.due_characters(DueFilter::default(), None, 10).await.unwrap().characters.len()
}

async fn after_a_long_pause_nothing_begins_with_a_burst(database: Database) {
    let store = &database.store;
    store.take_turns(SCOPE_BODIES, BODIES).await.unwrap();
    database.run("update esi_bucket set free_at = now() - interval '1 hour'").await;
    due(&database).await;
    store.suspect_esi("five calls in a row have failed").await.unwrap();
    database.run("update esi_gate set closed_at = now() - interval '1 hour'").await;
    assert!(store.esi_is_open(LIVES).await.unwrap().unwrap().is_after_long());

    let turns = store.take_turns(SCOPE_BODIES, BODIES).await.unwrap();
    assert!(turns.count == 1 && turns.every >= BODIES.time_for(2), "{turns:?}");
    let spread =
        database.rows("select next_sync_at from character where lease_until is null order by next_sync_at").await;
    let at: Vec<DateTime<Utc>> =
        spread.iter().map(|row| row["next_sync_at"].as_str().unwrap().parse().unwrap()).collect();
    for (earlier, later) in at.iter().zip(&at[1..]) {
        assert!((49..=51).contains(&(*later - *earlier).num_milliseconds()), "a twentieth of a second apart: {at:?}");
    }
    let untouched = "select next_sync_at < now() - interval '30 minutes' from character where lease_until is not null";
    assert!(database.holds(untouched).await, "the list that is being walked");
    database.run("update character set next_sync_at = next_sync_at - interval '1 second'").await;
    assert_eq!(found_due(&database).await, 3);
}

async fn after_a_short_one_everything_is_as_it_was(database: Database) {
    let store = &database.store;
    store.take_turns(SCOPE_BODIES, BODIES).await.unwrap();
    database.run("update esi_bucket set free_at = now() - interval '1 hour'").await;
    due(&database).await;
    store.suspect_esi("five calls in a row have failed").await.unwrap();
    assert!(!store.esi_is_open(LIVES).await.unwrap().unwrap().is_after_long());
    assert_eq!(store.take_turns(SCOPE_BODIES, BODIES).await.unwrap().every, Duration::ZERO);
    assert!(database.holds("select max(next_sync_at) < now() - interval '30 minutes' from character").await);
}
