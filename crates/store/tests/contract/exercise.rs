//! Streams that are refreshed for their own sake: who is due, once, and never in a wave.

use std::collections::BTreeSet;

use domain::TokenStreamId;
use domain::token::Health;
use domain::token::exercise::is_due;

use crate::harness::{Database, at_once, contract};

contract![
    who_was_refreshed_within_sixteen_days_is_not_due_and_who_was_not_for_twenty_is,
    a_suspect_is_due_with_its_probe_whoever_else_serves_its_character,
    who_is_given_up_quarantined_or_in_other_hands_is_not_due,
    what_was_asked_for_is_not_asked_for_again_within_an_hour,
    three_hundred_that_are_overdue_are_asked_for_bit_by_bit,
    thousands_that_are_not_due_yet_hide_nobody_who_is,
    two_ticks_at_once_ask_for_each_stream_once,
    marks_that_are_taken_back_are_due_again,
    a_mark_of_a_clock_that_was_wrong_holds_up_nobody,
    who_was_refreshed_or_signed_in_in_the_future_is_due,
    a_probe_that_was_put_off_by_a_clock_that_was_wrong_is_due,
];

/// So many logins, all of them refreshed for the last time so many days ago.
async fn unused_for(database: &Database, count: i64, days: i64) -> Vec<TokenStreamId> {
    let streams = database.granted_logins(count).await;
    database.run(format!("update token_stream set last_refreshed_at = now() - interval '{days} days'")).await;
    streams
}

/// One after the other, as ticks ask for them over some time.
async fn due(database: &Database) -> BTreeSet<TokenStreamId> {
    let mut all = BTreeSet::new();
    loop {
        let due = database.store.due_exercises().await.unwrap();
        if due.is_empty() {
            return all;
        }
        assert_eq!(database.store.claim_exercises(&due).await.unwrap().len(), due.len());
        all.extend(due);
        for stream in &all {
            assert!(database.store.is_exercise_due(*stream).await.unwrap(), "until it is refreshed");
        }
        let half_an_hour_later =
            "update token_stream set exercise_hinted_at = exercise_hinted_at - interval '30 minutes'
                                  where exercise_hinted_at > now() - interval '1 minute'";
        database.run(half_an_hour_later).await;
    }
}

async fn who_was_refreshed_within_sixteen_days_is_not_due_and_who_was_not_for_twenty_is(database: Database) {
    let streams = unused_for(&database, 5, 15).await;
    assert_eq!(database.store.due_exercises().await.unwrap(), []);
    database
        .run("update token_stream set last_refreshed_at = now() - interval '20 days' where token_stream_id = 3")
        .await;
    // One that was never refreshed counts from 15 days before its sign-in: an import is refreshed within days.
    for (stream, days) in [(4, 5), (5, 0)] {
        let signed_in = format!(
            "update token_stream set last_refreshed_at = null, created_at = now() - interval '{days} days'
             where token_stream_id = {stream}"
        );
        database.run(signed_in).await;
    }
    assert_eq!(due(&database).await, BTreeSet::from([streams[2], streams[3]]));
    let claim = database.refresh(streams[2]).await;
    database.grant(&claim, "access", 1199).await;
    assert!(!database.store.is_exercise_due(streams[2]).await.unwrap(), "it has been refreshed");
}

async fn a_suspect_is_due_with_its_probe_whoever_else_serves_its_character(database: Database) {
    let serving = database.login(1, "one").await;
    let suspect = database.login(1, "two").await;
    let claim = database.refresh(serving).await;
    database.grant(&claim, "access", 1199).await;
    let claim = database.refresh(suspect).await;
    database.refused(&claim).await;
    assert_eq!(database.store.due_exercises().await.unwrap(), []);
    assert!(!database.store.is_exercise_due(suspect).await.unwrap());
    database.run("update token_stream set next_probe_at = now() where state = 'suspect'").await;
    assert_eq!(database.store.due_exercises().await.unwrap(), [suspect]);
    assert!(database.store.is_exercise_due(suspect).await.unwrap());
}

async fn who_is_given_up_quarantined_or_in_other_hands_is_not_due(database: Database) {
    let streams = unused_for(&database, 5, 30).await;
    database.run("update token_stream set state = 'dead' where token_stream_id = 1").await;
    database.run("update token_stream set state = 'quarantined' where token_stream_id = 2").await;
    database.run("update token_stream set refresh_token_sealed = null where token_stream_id = 3").await;
    database.run("update token_stream set lease_until = now() + interval '1 minute' where token_stream_id = 4").await;
    assert_eq!(due(&database).await, BTreeSet::from([streams[4]]));
}

async fn what_was_asked_for_is_not_asked_for_again_within_an_hour(database: Database) {
    let streams = unused_for(&database, 1, 20).await;
    assert_eq!(database.store.due_exercises().await.unwrap(), streams);
    assert_eq!(database.store.claim_exercises(&streams).await.unwrap(), streams);
    for (minutes, expected) in [(0, false), (59, false), (61, true)] {
        let then = format!("update token_stream set exercise_hinted_at = now() - interval '{minutes} minutes'");
        database.run(then).await;
        assert_eq!(database.store.due_exercises().await.unwrap() == streams, expected, "{minutes}");
    }
}

async fn three_hundred_that_are_overdue_are_asked_for_bit_by_bit(database: Database) {
    unused_for(&database, 300, 25).await;
    let mut asked_for = Vec::new();
    // A tick in every fifth minute: twelve in an hour.
    for _ in 0..13 {
        let due = database.store.due_exercises().await.unwrap();
        let claimed = if due.is_empty() { 0 } else { database.store.claim_exercises(&due).await.unwrap().len() };
        asked_for.push(claimed);
        database.run("update token_stream set exercise_hinted_at = exercise_hinted_at - interval '5 minutes'").await;
    }
    assert_eq!(asked_for, [1; 13]);
}

async fn thousands_that_are_not_due_yet_hide_nobody_who_is(database: Database) {
    database.character(1).await;
    let imported = "insert into token_stream (character_id, refresh_token_sealed, last_refreshed_at)
                    with recursive numbers (number) as (
                        select 1 union all select number + 1 from numbers where number < 12000)
                    select 1, 'sealed'::bytea, now() - interval '385 hours' from numbers";
    assert_eq!(database.run(imported).await, 12_000);
    // Nobody was asked for lately, so there is room for 250: twice as many as are due.
    let long_ago = "update token_stream set exercise_hinted_at = now() - interval '2 hours' where token_stream_id = 1";
    database.run(long_ago).await;
    let unused_since = database.time("select last_refreshed_at from token_stream where token_stream_id = 1").await;
    let due_at = |now| {
        let streams = (1..=12_000).map(|id| TokenStreamId::parse(id).unwrap());
        streams.filter(|stream| is_due(*stream, &Health::fresh(), unused_since, now)).collect::<BTreeSet<_>>()
    };
    let before = due_at(database.store.now().await.unwrap());
    let found: BTreeSet<_> = database.store.due_exercises().await.unwrap().into_iter().collect();
    let after = due_at(database.store.now().await.unwrap());
    assert!((100..150).contains(&before.len()), "{}", before.len());
    assert!(found.is_superset(&before) && found.is_subset(&after), "{} of {}", found.len(), before.len());

    // A suspect comes first; once more are due than there is room for, the room is filled.
    database.run("update token_stream set last_refreshed_at = now() - interval '25 days'").await;
    let last = "update token_stream set state = 'suspect', next_probe_at = now() where token_stream_id = 12000";
    database.run(last).await;
    let found = database.store.due_exercises().await.unwrap();
    assert_eq!((found.len(), found[0].get(), found[1].get()), (250, 12_000, 1));
}

async fn two_ticks_at_once_ask_for_each_stream_once(database: Database) {
    let streams = unused_for(&database, 30, 20).await;
    let claimed = at_once(&database, 0..4, |database: Database, _| {
        let streams = streams.clone();
        async move { database.store.claim_exercises(&streams).await.unwrap() }
    })
    .await;
    let all: Vec<TokenStreamId> = claimed.into_iter().flatten().collect();
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (30, 30));
}

async fn marks_that_are_taken_back_are_due_again(database: Database) {
    let streams = unused_for(&database, 1, 20).await;
    assert_eq!(database.store.claim_exercises(&streams).await.unwrap(), streams);
    assert_eq!(database.store.due_exercises().await.unwrap(), []);
    database.store.unmark_exercises(&streams).await.unwrap();
    assert_eq!(database.store.due_exercises().await.unwrap(), streams);
}

async fn a_mark_of_a_clock_that_was_wrong_holds_up_nobody(database: Database) {
    let streams = unused_for(&database, 1, 20).await;
    database.run("update token_stream set exercise_hinted_at = now() + interval '3 days'").await;
    assert_eq!(database.store.due_exercises().await.unwrap(), streams);
    assert_eq!(database.store.claim_exercises(&streams).await.unwrap(), streams);
    assert_eq!(database.store.due_exercises().await.unwrap(), []);
}

async fn who_was_refreshed_or_signed_in_in_the_future_is_due(database: Database) {
    let streams = unused_for(&database, 3, 1).await;
    database
        .run("update token_stream set last_refreshed_at = now() + interval '300 days' where token_stream_id = 2")
        .await;
    database
        .run(
            "update token_stream set last_refreshed_at = null, created_at = now() + interval '300 days'
             where token_stream_id = 3",
        )
        .await;
    assert_eq!(due(&database).await, BTreeSet::from([streams[1], streams[2]]));
    let claim = database.refresh(streams[1]).await;
    database.grant(&claim, "access", 1199).await;
    assert!(!database.store.is_exercise_due(streams[1]).await.unwrap());
}

async fn a_probe_that_was_put_off_by_a_clock_that_was_wrong_is_due(database: Database) {
    let stream = database.login(1, "one").await;
    let claim = database.refresh(stream).await;
    database.refused(&claim).await;
    for (ahead, expected) in [("23 hours", false), ("25 hours", true)] {
        database.run(format!("update token_stream set next_probe_at = now() + interval '{ahead}'")).await;
        assert_eq!(database.store.due_exercises().await.unwrap() == [stream], expected, "{ahead}");
    }
}
