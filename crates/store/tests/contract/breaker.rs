//! When EVE SSO is believed no more: counted in the database, however many refuse at once.

use std::time::Duration;

use domain::TokenStreamId;
use domain::token::breaker::CANARIES_TO_TELL;
use store::breaker::ClientRefused;
use store::pause::SCOPE_SSO_WAIT;
use store::refresh_job::{AnswerSeen, RefreshStart, Refused};

use crate::harness::arrange::SSO_CONCURRENCY;
use crate::harness::{Database, at_once, contract};

contract![
    five_are_marked_and_the_sixth_stops_it,
    the_more_are_granted_the_more_are_believed,
    what_is_longer_ago_than_five_minutes_does_not_count,
    what_lies_in_the_future_does_not_count,
    while_it_is_open_nobody_becomes_dead_either,
    a_canary_that_is_granted_ends_the_pause,
    canaries_are_different_logins_a_minute_apart_and_the_operator_is_told_when_all_are_refused,
    a_grant_of_anybody_else_does_not_close_it,
    after_a_canary_others_are_doubted_without_a_pause_until_there_are_too_many_again,
    a_canary_in_the_future_holds_up_none_and_its_grant_hides_no_wave,
    logins_that_were_never_good_stop_nobody_while_others_are_granted,
    a_refused_client_is_one_pause_that_lengthens_and_one_alarm,
    the_first_answer_that_does_not_refuse_our_client_ends_that_pause,
    while_some_processes_have_a_wrong_secret_the_operator_is_told_once,
    being_told_to_wait_is_not_ended_by_a_grant,
];
contract![postgres: a_wave_over_many_workers_marks_no_more_than_five];

async fn harmed(database: &Database) -> usize {
    database.rows("select token_stream_id from token_stream where state <> 'active' or strikes > 0").await.len()
}

async fn refuse(database: &Database, token_stream_id: TokenStreamId) -> Refused {
    let claim = database.refresh(token_stream_id).await;
    database.refused(&claim).await
}

/// The breaker opens with the last of these.
async fn refuse_six(database: &Database, streams: &[TokenStreamId]) {
    for &token_stream_id in &streams[..5] {
        assert!(matches!(refuse(database, token_stream_id).await, Refused::Marked(_)));
    }
    assert!(matches!(refuse(database, streams[5]).await, Refused::Opened { .. }));
}

async fn let_a_minute_pass(database: &Database) {
    database.run("update sso_breaker set canary_at = canary_at - interval '61 seconds'").await;
}

/// The reason of the pause of all refreshes; none if there is none.
async fn pause(database: &Database) -> Option<String> {
    let pauses = database.store.pauses().await.unwrap();
    assert!(pauses.len() <= 1 && pauses.iter().all(|pause| pause.scope == "sso"), "{pauses:?}");
    pauses.into_iter().next().map(|pause| pause.reason)
}

async fn five_are_marked_and_the_sixth_stops_it(database: Database) {
    let streams = database.granted_logins(20).await;
    refuse_six(&database, &streams).await;
    for &token_stream_id in &streams[6..] {
        assert_eq!(refuse(&database, token_stream_id).await, Refused::Withheld);
    }
    assert_eq!(harmed(&database).await, 5);
    assert!(pause(&database).await.unwrap().starts_with("EVE SSO has refused 6 of 6 refreshes within 5 minutes"));
    // What was refused is told all the same, and the stream can be refreshed.
    let last = streams[19];
    assert_eq!(database.events(last).await, ["signed_in", "refusal_withheld: invalid_grant"]);
    let row = format!("select state, next_probe_at, last_error_code from token_stream where token_stream_id = {last}");
    assert_eq!(
        database.row(row).await,
        serde_json::json!({ "state": "active", "next_probe_at": null, "last_error_code": "invalid_grant" })
    );
    assert!(!database.refresh(last).await.lost_answer);
}

async fn a_wave_over_many_workers_marks_no_more_than_five(database: Database) {
    let streams = database.granted_logins(40).await;
    let kept = at_once(&database, streams, async |database: Database, token_stream_id| {
        loop {
            match database.store.claim_refresh(&database.keyring, token_stream_id, None, SSO_CONCURRENCY).await.unwrap()
            {
                RefreshStart::Claimed(claim) => return database.refused(&claim).await,
                RefreshStart::Busy => tokio::task::yield_now().await,
                other => panic!("not claimed: {other:?}"),
            }
        }
    })
    .await;
    let count = |is: fn(&Refused) -> bool| kept.iter().filter(|kept| is(kept)).count();
    assert_eq!(count(|kept| matches!(kept, Refused::Marked(_))), 5);
    assert_eq!(count(|kept| matches!(kept, Refused::Opened { .. })), 1, "one alarm");
    assert_eq!(harmed(&database).await, 5);
}

async fn the_more_are_granted_the_more_are_believed(database: Database) {
    let streams = database.granted_logins(10).await;
    // 141 refreshes within five minutes: seven of them may be refused.
    for _ in 0..134 {
        let claim = database.refresh(streams[9]).await;
        database.grant(&claim, "access", 1199).await;
    }
    for &token_stream_id in &streams[..7] {
        assert!(matches!(refuse(&database, token_stream_id).await, Refused::Marked(_)));
    }
    assert!(matches!(refuse(&database, streams[7]).await, Refused::Opened { .. }));
    assert_eq!(harmed(&database).await, 7);
}

async fn what_is_longer_ago_than_five_minutes_does_not_count(database: Database) {
    let streams = database.granted_logins(15).await;
    for some in streams.chunks(5) {
        for &token_stream_id in some {
            assert!(matches!(refuse(&database, token_stream_id).await, Refused::Marked(_)));
        }
        database.run("update token_event set at = at - interval '301 seconds'").await;
    }
    assert_eq!(harmed(&database).await, 15);
    assert_eq!(pause(&database).await, None);
}

async fn what_lies_in_the_future_does_not_count(database: Database) {
    let streams = database.granted_logins(11).await;
    for &token_stream_id in &streams[..5] {
        assert!(matches!(refuse(&database, token_stream_id).await, Refused::Marked(_)));
    }
    database.run("update token_event set at = at + interval '300 days'").await;
    refuse_six(&database, &streams[5..]).await;
    assert_eq!(harmed(&database).await, 10);
}

async fn while_it_is_open_nobody_becomes_dead_either(database: Database) {
    let streams = database.granted_logins(7).await;
    let nearly_dead = streams[6];
    for _ in 0..2 {
        refuse(&database, nearly_dead).await;
        database.run("update token_stream set first_refused_at = first_refused_at - interval '13 hours'").await;
    }
    database.run("update token_event set at = at - interval '10 minutes'").await;
    refuse_six(&database, &streams).await;
    let row = format!("select * from token_stream where token_stream_id = {nearly_dead}");
    let before = database.row(&row).await;
    assert_eq!(refuse(&database, nearly_dead).await, Refused::Withheld);
    let after = database.row(&row).await;
    for column in ["state", "strikes", "first_refused_at", "next_probe_at"] {
        assert_eq!(before[column], after[column], "{column}");
    }
}

async fn a_canary_that_is_granted_ends_the_pause(database: Database) {
    let streams = database.granted_logins(10).await;
    assert_eq!(database.store.claim_canary().await.unwrap(), None, "it is closed");
    refuse_six(&database, &streams).await;
    assert_eq!(database.store.claim_canary().await.unwrap(), None, "a minute has to pass");
    let_a_minute_pass(&database).await;
    let canary = database.store.claim_canary().await.unwrap().unwrap();
    assert!(streams[6..].contains(&canary), "one whose last refresh was good");
    assert_eq!(database.store.claim_canary().await.unwrap(), None, "one a minute in the whole fleet");
    assert!(database.store.is_canary(canary).await.unwrap());
    assert!(!database.store.is_canary(streams[5]).await.unwrap());
    assert!(pause(&database).await.is_some());
    let claim = database.refresh(canary).await;
    database.grant(&claim, "access", 1199).await;
    assert_eq!(pause(&database).await, None);
    assert!(!database.store.is_canary(canary).await.unwrap());
    let_a_minute_pass(&database).await;
    assert_eq!(database.store.claim_canary().await.unwrap(), None);
}

async fn canaries_are_different_logins_a_minute_apart_and_the_operator_is_told_when_all_are_refused(
    database: Database,
) {
    let streams = database.granted_logins(10).await;
    refuse_six(&database, &streams).await;
    let mut canaries = Vec::new();
    for number in 1..=6 {
        let_a_minute_pass(&database).await;
        let canary = database.store.claim_canary().await.unwrap().unwrap();
        assert_eq!(refuse(&database, canary).await, Refused::Withheld);
        canaries.push(canary);
        let reason = pause(&database).await.unwrap();
        assert!(reason.contains(&format!("{number} ")), "{reason}");
        assert_eq!(reason.contains("developers.eveonline.com"), number >= CANARIES_TO_TELL, "{reason}");
    }
    // The four that were good, the one that opened it, which has waited for longest, and the first again.
    assert_eq!(canaries.iter().collect::<std::collections::BTreeSet<_>>().len(), 5, "{canaries:?}");
    assert_eq!(canaries[4], streams[5]);
    assert_eq!(harmed(&database).await, 5);
}

async fn a_grant_of_anybody_else_does_not_close_it(database: Database) {
    let streams = database.granted_logins(10).await;
    let under_way = database.refresh(streams[9]).await;
    refuse_six(&database, &streams).await;
    database.grant(&under_way, "access", 1199).await;
    assert!(pause(&database).await.is_some());
}

async fn after_a_canary_others_are_doubted_without_a_pause_until_there_are_too_many_again(database: Database) {
    let streams = database.granted_logins(20).await;
    refuse_six(&database, &streams).await;
    let_a_minute_pass(&database).await;
    let canary = database.store.claim_canary().await.unwrap().unwrap();
    let claim = database.refresh(canary).await;
    database.grant(&claim, "access", 1199).await;
    let others: Vec<_> = streams[6..].iter().filter(|stream| **stream != canary).copied().collect();
    for &token_stream_id in &others[..5] {
        assert_eq!(refuse(&database, token_stream_id).await, Refused::Withheld);
        assert_eq!(pause(&database).await, None);
    }
    assert!(matches!(refuse(&database, others[5]).await, Refused::Opened { .. }));
    assert_eq!(harmed(&database).await, 5);
}

async fn a_canary_in_the_future_holds_up_none_and_its_grant_hides_no_wave(database: Database) {
    let streams = database.granted_logins(20).await;
    refuse_six(&database, &streams).await;
    database.run("update sso_breaker set opened_at = now() + interval '300 days'").await;
    database.run("update sso_breaker set canary_at = now() + interval '300 days'").await;
    let canary = database.store.claim_canary().await.unwrap().unwrap();
    let claim = database.refresh(canary).await;
    database.grant(&claim, "access", 1199).await;
    assert_eq!(pause(&database).await, None);
    // If it had been closed then, nobody would be doubted since, and it would not open again before.
    database.run("update sso_breaker set closed_at = now() + interval '300 days'").await;
    let other = streams[6..].iter().find(|stream| **stream != canary).unwrap();
    assert!(matches!(refuse(&database, *other).await, Refused::Opened { .. }));
}

async fn logins_that_were_never_good_stop_nobody_while_others_are_granted(database: Database) {
    let streams = database.granted_logins(60).await;
    database.run("update token_stream set last_refreshed_at = null where token_stream_id > 40").await;
    for (number, &good) in streams[..40].iter().enumerate() {
        let claim = database.refresh(good).await;
        database.grant(&claim, "access", 1199).await;
        if number % 2 == 1 && number > 1 {
            assert!(matches!(refuse(&database, streams[39 + number / 2]).await, Refused::Marked(_)), "{number}");
        }
    }
    assert_eq!(harmed(&database).await, 19);
    let not_counted = "select token_event_id from token_event where detail = 'new -> suspect'";
    assert!(database.rows(not_counted).await.len() >= 15);
    assert_eq!(pause(&database).await, None);
}

async fn refuse_client(database: &Database, token_stream_id: TokenStreamId) -> ClientRefused {
    let (claim, reason) = (database.refresh(token_stream_id).await, "EVE SSO refused our client");
    let finished =
        database.store.finish_without_token(&claim, &claim.health, "invalid_client", reason, AnswerSeen::Yes);
    finished.await.unwrap();
    database.store.refuse_client(reason).await.unwrap()
}

async fn a_refused_client_is_one_pause_that_lengthens_and_one_alarm(database: Database) {
    let streams = database.granted_logins(3).await;
    let mut told = Vec::new();
    let mut spans = Vec::new();
    for _ in 0..7 {
        for &token_stream_id in &streams {
            told.push(refuse_client(&database, token_stream_id).await);
        }
        let pauses = database.store.pauses().await.unwrap();
        assert_eq!((pauses.len(), pauses[0].reason.as_str()), (1, "EVE SSO refused our client"));
        spans.push(pauses[0].remaining.as_secs() + 1);
        database.run("update sso_breaker set client_refused_until = now()").await;
        database.run("update fleet_pause set until = now()").await;
    }
    assert_eq!(spans, [30, 60, 120, 240, 480, 900, 900]);
    assert_eq!(told.iter().filter(|told| **told == ClientRefused::PauseBegins).count(), 1, "one alarm");
    assert_eq!(told.iter().filter(|told| **told == ClientRefused::PauseGoesOn).count(), 6);
    assert_eq!(harmed(&database).await, 0);
    let told = database.rows("select * from token_stream where last_error_code = 'invalid_client'").await;
    assert_eq!(told.len(), 3);
}

async fn the_first_answer_that_does_not_refuse_our_client_ends_that_pause(database: Database) {
    let streams = database.granted_logins(2).await;
    for (is_granted, told) in [(true, ClientRefused::PauseBegins), (false, ClientRefused::PauseGoesOn)] {
        assert_eq!(refuse_client(&database, streams[0]).await, told);
        // Neither does trouble of the provider.
        let claim = database.refresh(streams[1]).await;
        database.no_grant(&claim, AnswerSeen::Yes).await;
        assert!(pause(&database).await.is_some());
        let claim = database.refresh(streams[1]).await;
        if is_granted {
            database.grant(&claim, "access", 1199).await;
        } else {
            database.refused(&claim).await;
        }
        assert_eq!(pause(&database).await, None);
    }
}

async fn while_some_processes_have_a_wrong_secret_the_operator_is_told_once(database: Database) {
    let streams = database.granted_logins(2).await;
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(refuse_client(&database, streams[0]).await);
        let remaining = database.store.pauses().await.unwrap()[0].remaining;
        assert!(remaining <= Duration::from_secs(30), "{remaining:?}, although our client was taken meanwhile");
        let claim = database.refresh(streams[1]).await;
        database.grant(&claim, "access", 1199).await;
        assert_eq!(pause(&database).await, None);
    }
    use ClientRefused::{PauseBegins, PauseGoesOn};
    assert_eq!(told, [PauseBegins, PauseGoesOn, PauseGoesOn, PauseGoesOn, PauseGoesOn]);
    database.run("update sso_breaker set client_refused_until = client_refused_until - interval '1 hour'").await;
    assert_eq!(refuse_client(&database, streams[0]).await, PauseBegins);
}

async fn being_told_to_wait_is_not_ended_by_a_grant(database: Database) {
    let streams = database.granted_logins(10).await;
    let minute = Duration::from_secs(60);
    let under_way = database.refresh(streams[9]).await;
    database.store.pause(SCOPE_SSO_WAIT, "429", minute).await.unwrap();
    refuse_client(&database, streams[8]).await;
    database.grant(&under_way, "access", 1199).await;
    refuse_six(&database, &streams).await;
    let_a_minute_pass(&database).await;
    let canary = database.store.claim_canary().await.unwrap().unwrap();
    let claim = database.refresh(canary).await;
    database.grant(&claim, "access", 1199).await;
    let pauses = database.store.pauses().await.unwrap();
    assert_eq!((pauses.len(), pauses[0].scope.as_str(), pauses[0].reason.as_str()), (1, SCOPE_SSO_WAIT, "429"));
    assert!(pauses[0].is_of_refreshes() && pauses[0].remaining <= minute, "{pauses:?}");
}
