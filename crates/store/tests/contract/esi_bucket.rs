//! The schedule of a bucket: whoever takes turns, they stand one behind the other, and no window is overdrawn.

use std::time::Duration;

use chrono::TimeDelta;
use domain::pace::{Allowance, BODIES};
use store::esi_bucket::Turns;

use crate::harness::{Database, at_once, contract};

contract![
    turns_of_many_who_ask_at_once_never_overlap,
    after_a_quiet_time_some_come_at_once_and_then_no_more,
    what_is_given_back_late_holds_up_nobody,
    what_a_window_has_used_up_comes_back_with_its_age,
    what_esi_says_of_its_limits_holds_from_then_on,
    a_clock_that_was_wrong_holds_up_nobody,
];

const BUCKET: &str = "esi:killmail";

async fn take(database: &Database) -> Turns {
    database.store.take_turns(BUCKET, BODIES).await.unwrap()
}

async fn spent(database: &Database) -> f64 {
    database.number("select coalesce(sum(tokens), 0) as tokens from esi_spent").await
}

async fn turns_of_many_who_ask_at_once_never_overlap(database: Database) {
    take(&database).await;
    database.run("update esi_bucket set free_at = now() + interval '30 seconds'").await;
    let taken = at_once(&database, 0..8, |database: Database, _| async move {
        let turns = take(&database).await;
        assert_eq!((turns.count, turns.allowance), (1, BODIES));
        assert!((BODIES.time_for(2)..BODIES.time_for(2) * 2).contains(&turns.every), "{turns:?}");
        turns
    })
    .await;
    let eight = taken.iter().map(|turns| turns.every.as_secs_f64()).sum::<f64>();
    let taken: Vec<Duration> = taken.iter().map(|turns| turns.first_in).collect();
    let ahead = database.number("select extract(epoch from free_at - now()) as seconds from esi_bucket").await;
    assert!((20.0 + eight..=30.0 + eight).contains(&ahead), "{ahead}");
    let (first, last) = (taken.iter().min().unwrap(), taken.iter().max().unwrap());
    assert!(*last <= Duration::from_secs_f64(30.0 + eight), "{last:?}");
    assert!(*last > *first + BODIES.time_for(2) * 3, "{taken:?}");
}

async fn after_a_quiet_time_some_come_at_once_and_then_no_more(database: Database) {
    let mut at_once = 0;
    let last = loop {
        let turns = take(&database).await;
        if turns.every > Duration::ZERO {
            break turns;
        }
        assert_eq!(turns.first_in, Duration::ZERO);
        at_once += turns.count;
    };
    assert!((330..400).contains(&at_once), "{at_once}");
    let all = spent(&database).await;
    assert!((660.0..=802.0).contains(&all), "{all}");
    database.store.give_back_turns(BUCKET, 3, last.counted_at).await.unwrap();
    assert_eq!(spent(&database).await, all - 6.0);
}

async fn what_is_given_back_late_holds_up_nobody(database: Database) {
    // A process takes some and is idle for longer than a window; everything else that was taken is forgotten by then.
    let before = take(&database).await;
    let counted_at = before.counted_at - TimeDelta::minutes(16);
    database.run("update esi_spent set at = at - interval '16 minutes'").await;
    database.store.give_back_turns(BUCKET, 5, counted_at).await.unwrap();
    let turns = take(&database).await;
    assert!(turns.count > 0 && turns.first_in == Duration::ZERO, "{turns:?}");
    assert_eq!(spent(&database).await, f64::from(2 * turns.count), "and nobody may take more for it");
}

async fn what_a_window_has_used_up_comes_back_with_its_age(database: Database) {
    take(&database).await;
    database.store.charge(BUCKET, BODIES, 100, 3600).await.unwrap();
    database.run("update esi_spent set at = now() - interval '14 minutes'").await;
    let turns = take(&database).await;
    assert_eq!(turns.count, 0);
    assert!((30..=60).contains(&turns.first_in.as_secs()), "{:?}", turns.first_in);
    let row = database.row("select remaining, seen_at is not null as is_seen from esi_bucket").await;
    assert!(row["remaining"] == 100 && row.column("is_seen") == true, "{row}");
    database.run("update esi_spent set at = now() - interval '15 minutes'").await;
    database.run("update esi_bucket set free_at = now() - interval '1 hour'").await;
    assert!(take(&database).await.count > 0);
    assert!(spent(&database).await < 20.0, "what is older is forgotten");
}

async fn what_esi_says_of_its_limits_holds_from_then_on(database: Database) {
    let scaled = Allowance { tokens: 3600, window: Duration::from_secs(10) };
    take(&database).await;
    database.store.charge(BUCKET, scaled, 3598, 0).await.unwrap();
    assert_eq!(take(&database).await.allowance, scaled);
    assert_eq!(database.number("select count(*) as spent from esi_spent where tokens = 0").await, 0.0);
}

async fn a_clock_that_was_wrong_holds_up_nobody(database: Database) {
    take(&database).await;
    database.run("update esi_bucket set free_at = now() + interval '3 days'").await;
    database.store.charge(BUCKET, BODIES, 100, 3600).await.unwrap();
    database.run("update esi_spent set at = now() + interval '3 days'").await;
    let turns = take(&database).await;
    assert!(turns.count > 0 && turns.first_in == Duration::ZERO, "{turns:?}");
}
