//! Pauses that the whole fleet keeps.

use std::time::Duration;

use store::pause::{SCOPE_BODIES, SCOPE_ESI, SCOPE_SSO, scope_of_list};

use crate::harness::arrange::character;
use crate::harness::{Database, contract};

contract![
    a_pause_is_lengthened_and_never_shortened,
    scopes_are_paused_each_for_itself,
    a_pause_that_is_over_vanishes_and_the_next_one_begins_anew,
    remaining_time_is_by_the_clock_of_the_database,
];

/// Scope, reason and whole seconds that are left, rounded up.
async fn pauses(database: &Database) -> Vec<(String, String, u64)> {
    let pauses = database.store.pauses().await.unwrap();
    pauses
        .into_iter()
        .map(|pause| {
            (pause.scope, pause.reason, pause.remaining.as_secs() + u64::from(pause.remaining.subsec_nanos() > 0))
        })
        .collect()
}

async fn pause(database: &Database, scope: &str, reason: &str, seconds: u64) -> bool {
    database.store.pause(scope, reason, Duration::from_secs(seconds)).await.unwrap()
}

async fn a_pause_is_lengthened_and_never_shortened(database: Database) {
    assert!(pauses(&database).await.is_empty());
    assert!(pause(&database, SCOPE_ESI, "420", 600).await);
    let created = database.value("select created_at from fleet_pause").await;
    assert!(!pause(&database, SCOPE_ESI, "429", 60).await, "a longer one is in force");
    let now = pauses(&database).await;
    assert_eq!(now.len(), 1);
    assert_eq!((now[0].0.as_str(), now[0].1.as_str()), ("esi", "420"));
    assert!((590..=600).contains(&now[0].2), "{now:?}");
    assert!(pause(&database, SCOPE_ESI, "maintenance", 3600).await);
    let now = pauses(&database).await;
    assert_eq!((now.len(), now[0].1.as_str()), (1, "maintenance"));
    assert!((3590..=3600).contains(&now[0].2), "{now:?}");
    assert_eq!(database.value("select created_at from fleet_pause").await, created, "it is still the same pause");
}

async fn scopes_are_paused_each_for_itself(database: Database) {
    pause(&database, SCOPE_SSO, "invalid_client", 60).await;
    pause(&database, SCOPE_BODIES, "429", 60).await;
    pause(&database, &scope_of_list(character(90_000_001)), "429", 60).await;
    pause(&database, &scope_of_list(character(90_000_002)), "429", 60).await;
    pause(&database, SCOPE_ESI, "420", 60).await;
    let scopes: Vec<String> = pauses(&database).await.into_iter().map(|pause| pause.0).collect();
    assert_eq!(scopes, ["esi", "esi:char-killmail:90000001", "esi:char-killmail:90000002", "esi:killmail", "sso"]);
}

async fn a_pause_that_is_over_vanishes_and_the_next_one_begins_anew(database: Database) {
    pause(&database, SCOPE_ESI, "420", 60).await;
    pause(&database, SCOPE_SSO, "429", 60).await;
    let over = "update fleet_pause set until = now() - interval '1 second', created_at = now() - interval '1 hour'";
    database.run(format!("{over} where scope = 'esi'")).await;
    let scopes: Vec<String> = pauses(&database).await.into_iter().map(|pause| pause.0).collect();
    assert_eq!(scopes, ["sso"]);
    assert_eq!(database.rows("select * from fleet_pause").await.len(), 1, "its row is gone");

    // A pause that begins before the old row was removed.
    database.run(format!("{over} where scope = 'sso'")).await;
    pause(&database, SCOPE_SSO, "503", 60).await;
    assert!(database.holds("select created_at > now() - interval '1 minute' from fleet_pause").await);
    assert_eq!(pauses(&database).await[0].1, "503");
}

async fn remaining_time_is_by_the_clock_of_the_database(database: Database) {
    pause(&database, SCOPE_ESI, "420", 100).await;
    let now = database.store.now().await.unwrap();
    let pause = database.store.pauses().await.unwrap().remove(0);
    let remaining = chrono::TimeDelta::from_std(pause.remaining).unwrap();
    assert!((pause.until - now - remaining).num_seconds().abs() <= 5);
}
