//! What faults change, and what they leave alone.

use super::super::sso_settings::{Rotation, SsoSettings};
use super::super::{Call, Delivery, Settings};
use super::{at, json, list_request, model, request, with};

#[test]
fn a_lost_answer_happened_and_a_reset_did_not() {
    let mut model = with(SsoSettings { rotation: Rotation::AlwaysKillOld, ..SsoSettings::default() });
    let (_, token) = model.first_character();
    model.put_fault(r#"{"on":"token","times":1,"do":{"kind":"reset"}}"#);
    assert_eq!(model.refresh_with(at(0), &token).delivery, Delivery::Nothing);
    let answer = model.refresh_with(at(1), &token);
    assert_eq!(answer.status, 200);
    let next = json(&answer)["refresh_token"].as_str().unwrap().to_owned();
    model.put_fault(r#"{"on":"token","times":1,"do":{"kind":"lost_answer"}}"#);
    assert_eq!(model.refresh_with(at(2), &next).delivery, Delivery::Nothing);
    assert_eq!(model.refresh_with(at(3), &next).status, 400, "the change happened");
    assert_eq!(model.counters().requests.token, 4);
    assert_eq!(model.counters().responses[&200], 1);
    assert_eq!((model.counters().faults["reset"], model.counters().faults["lost_answer"]), (1, 1));
}

#[test]
fn faults_cost_what_their_status_costs() {
    let mut model = model(Settings::default());
    let (character_id, _) = model.first_character();
    let bearer = model.sign_in(at(0), character_id);
    let ask = list_request(character_id, &bearer, None);
    let cases = [
        (r#"{"kind":"answer","status":503}"#, 0),
        (r#"{"kind":"answer","status":403,"body":"{\"error\":\"x\"}"}"#, 5),
        (r#"{"kind":"answer","status":429,"headers":{"Retry-After":"7"}}"#, 0),
        (r#"{"kind":"answer","status":420}"#, 0),
        (r#"{"kind":"html"}"#, 2),
        (r#"{"kind":"truncate"}"#, 2),
        (r#"{"kind":"wrong_types"}"#, 2),
        (r#"{"kind":"lost_answer"}"#, 2),
        (r#"{"kind":"reset"}"#, 0),
    ];
    let mut expected = 0;
    for (action, cost) in cases {
        model.put_fault(&format!(r#"{{"on":"list","do":{action}}}"#));
        model.ask(at(0), &ask);
        expected += cost;
        assert_eq!(model.counters().tokens_spent_total, expected, "{action}");
    }
    assert_eq!(model.counters().budget_overdrawn, 0, "a 429 by a fault is not the caller's doing");
}

#[test]
fn a_validator_does_not_save_a_caller_from_a_spoiled_body() {
    let mut model = model(Settings::default());
    let (character_id, _) = model.first_character();
    let bearer = model.sign_in(at(0), character_id);
    let mut ask = list_request(character_id, &bearer, None);
    ask.if_none_match = model.ask(at(0), &ask).header("ETag").map(str::to_owned);
    model.put_fault(r#"{"on":"list","do":{"kind":"truncate"}}"#);
    let answer = model.ask(at(300), &ask);
    assert_eq!((answer.status, answer.delivery), (200, Delivery::CutInHalf));
    model.put_fault(r#"{"on":"list","do":{"kind":"wrong_types"}}"#);
    assert_eq!(json(&model.ask(at(300), &ask))[0]["killmail_id"], "many");
}

#[test]
fn a_fault_for_one_character_leaves_the_others_alone() {
    let mut model = model(Settings::default());
    let tokens: Vec<_> =
        model.characters(at(0)).map(|(character, token)| (character.character_id, token.unwrap().to_owned())).collect();
    model.put_fault(&format!(r#"{{"on":"token","character_id":{},"do":{{"kind":"invalid_grant"}}}}"#, tokens[1].0));
    let statuses: Vec<u16> = tokens.iter().map(|(_, token)| model.refresh_with(at(0), token).status).collect();
    assert_eq!(statuses, [200, 400, 200, 200, 200]);
    model.put_fault(r#"{"on":"token","do":{"kind":"invalid_client"}}"#);
    assert_eq!(model.refresh_with(at(0), &tokens[0].1).status, 401);
    assert_eq!(
        model.live_refresh_tokens(at(0), tokens[1].0).next(),
        Some(tokens[1].1.as_str()),
        "the state is untouched"
    );
}

#[test]
fn a_fault_for_one_login_leaves_the_others_of_its_character_alone() {
    let mut model = with(SsoSettings { rotation: Rotation::AlwaysKillOld, ..SsoSettings::default() });
    let (character_id, mut first) = model.first_character();
    let second = model.login(at(0), character_id, Vec::new()).unwrap();
    for _ in 0..2 {
        model.put_fault(r#"{"on":"token","login":2,"do":{"kind":"html"}}"#);
        first = json(&model.refresh_with(at(0), &first))["refresh_token"].as_str().unwrap().to_owned();
        assert!(model.refresh_with(at(0), &second).body.contains("<html"));
    }
    model.put_fault(r#"{"on":"token","login":1,"do":{"kind":"reset"}}"#);
    assert_eq!(model.refresh_with(at(0), &first).delivery, Delivery::Nothing, "whichever token it has by now");
    assert_eq!(model.refresh_with(at(0), &second).status, 200);
}

#[test]
fn an_answer_of_a_fault_is_sent_as_it_is_written() {
    let mut model = model(Settings::default());
    model.put_fault(
        r#"{"on":"esi","do":{"kind":"answer","status":502,"body":"<html>","headers":{"X-Ratelimit-Remaining":"1"}}}"#,
    );
    let answer = model.ask(at(0), &request(Call::Status));
    assert_eq!((answer.status, answer.body.as_str()), (502, "<html>"));
    assert_eq!(answer.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("X-Ratelimit-Remaining"), Some("1"));
    assert_eq!(model.ask(at(0), &request(Call::Jwks)).status, 200);
}

#[test]
fn a_request_without_a_user_agent_is_counted() {
    let mut model = model(Settings::default());
    model.ask(at(0), &request(Call::Jwks));
    model.ask(at(0), &super::Request { user_agent: None, ..request(Call::Jwks) });
    model.ask(at(0), &super::Request { user_agent: Some(" ".to_owned()), ..request(Call::Status) });
    assert_eq!(model.counters().missing_user_agent, 2);
    model.reset_counters();
    assert_eq!(model.counters().requests.jwks, 0);
}
