//! The two limits of ESI and what they cost.

use super::super::{Call, Request, Settings};
use super::{at, list_request, model, request};

#[test]
fn fifteen_full_lists_or_thirty_unchanged_ones_fit_into_a_window() {
    let mut model = model(Settings::default());
    let (character_id, _) = model.first_character();
    let bearer = model.sign_in(at(0), character_id);
    let ask = list_request(character_id, &bearer, None);
    for number in 0..15 {
        assert_eq!(model.ask(at(number), &ask).status, 200);
    }
    let refused = model.ask(at(20), &ask);
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("Retry-After"), Some("880"));
    assert_eq!(refused.header("X-Ratelimit-Remaining"), Some("0"));
    assert_eq!(refused.header("X-Ratelimit-Limit"), Some("30/15m"));
    assert_eq!(refused.header("X-Ratelimit-Used"), Some("0"));
    assert_eq!(model.counters().budget_overdrawn, 1);
    assert_eq!(model.counters().tokens_spent["char-killmail"], 30);
    // The first two tokens come back 15 minutes after they were spent, and not the others with them.
    assert_eq!(model.ask(at(899), &ask).status, 429);
    let accepted = model.ask(at(900), &ask);
    assert_eq!((accepted.status, accepted.header("X-Ratelimit-Remaining")), (200, Some("0")));

    let tag = accepted.header("ETag").map(str::to_owned);
    let bearer = model.sign_in(at(1199), character_id);
    let ask = Request { if_none_match: tag, ..list_request(character_id, &bearer, None) };
    for number in 0..30 {
        assert_eq!(model.ask(at(2000 + number), &ask).status, 304);
    }
    assert_eq!(model.ask(at(2030), &ask).status, 429);
}

#[test]
fn each_character_has_its_own_bucket_and_details_have_one_for_the_address() {
    let mut model = model(Settings { window_seconds: 10, ..Settings::default() });
    let ids: Vec<_> = model.characters(at(0)).map(|(character, _)| character.character_id).collect();
    for character_id in &ids[..2] {
        let bearer = model.sign_in(at(0), *character_id);
        let answer = model.ask(at(0), &list_request(*character_id, &bearer, None));
        assert_eq!(answer.header("X-Ratelimit-Remaining"), Some("28"));
        assert_eq!(answer.header("X-Ratelimit-Limit"), Some("30/10s"));
    }
    let detail = request(Call::Detail {
        killmail_id: super::super::ids::KillmailId::from_number(1),
        killmail_hash: String::new(),
    });
    for number in 1..=720 {
        let answer = model.ask(at(0), &detail);
        assert_eq!(answer.status, 422);
        assert_eq!(answer.header("X-Ratelimit-Remaining").unwrap(), (3600 - 5 * number).to_string());
    }
    assert_eq!(model.ask(at(0), &detail).status, 429);
    let elsewhere = Request { source: [10, 0, 0, 1].into(), ..detail.clone() };
    assert_eq!(model.ask(at(0), &elsewhere).status, 422);
    assert_eq!(model.ask(at(10), &detail).status, 422);
}

#[test]
fn a_hundred_errors_stop_every_route_until_the_minute_ends() {
    let mut model = model(Settings::default());
    for number in 1..=100 {
        let answer = model.ask(at(5), &request(Call::UnknownEsi));
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("X-ESI-Error-Limit-Remain").unwrap(), (100 - number).to_string());
        assert_eq!(answer.header("X-Ratelimit-Group"), None);
    }
    let refused = model.ask(at(18), &request(Call::Status));
    assert_eq!((refused.status, refused.header("X-ESI-Error-Limit-Reset")), (420, Some("42")));
    assert!(refused.body.contains("This software has exceeded the error limit for ESI."));
    assert_eq!(refused.header("X-Ratelimit-Group"), None);
    assert_eq!(model.counters().requests_while_error_limited, 1);
    assert_eq!(model.counters().tokens_spent_total, 0);
    let (_, token) = model.first_character();
    assert_eq!(model.refresh_with(at(20), &token).status, 200, "SSO is not ESI");
    assert_eq!(model.ask(at(60), &request(Call::Status)).status, 200);
}

#[test]
fn errors_of_routes_with_a_bucket_count_only_when_told_so() {
    for (bucketed_errors_count, expected) in [(false, 200), (true, 420)] {
        let mut model = model(Settings { bucketed_errors_count, ..Settings::default() });
        model.put_fault(r#"{"on":"status","times":100,"do":{"kind":"answer","status":503}}"#);
        for _ in 0..100 {
            let answer = model.ask(at(0), &request(Call::Status));
            assert_eq!((answer.status, answer.header("X-Ratelimit-Used")), (503, Some("0")));
        }
        assert_eq!(model.ask(at(0), &request(Call::Status)).status, expected);
    }
}
