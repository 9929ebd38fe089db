//! The refresh grant: rotation, refusals, and what the access token says.

use serde_json::Value;

use super::super::sso_settings::{Issuer, Rotation, SsoSettings};
use super::super::{Answer, Call, Request, Settings};
use super::{at, decoded, json, model, refresh_request, with};

fn claims(answer: &Answer) -> Value {
    decoded(json(answer)["access_token"].as_str().unwrap().split('.').nth(1).unwrap())
}

fn description(answer: &Answer) -> String {
    json(answer)["error_description"].as_str().unwrap().to_owned()
}

#[test]
fn an_access_token_carries_all_claims() {
    let mut model = with(SsoSettings { issuer: Issuer::UrlWithSlash, ..SsoSettings::default() });
    let (character_id, token) = model.first_character();
    let answer = model.refresh_with(at(0), &token);
    assert_eq!(answer.status, 200);
    assert_eq!(json(&answer)["expires_in"], 1199);
    assert_eq!(json(&answer)["token_type"], "Bearer");
    let claims = claims(&answer);
    assert_eq!(claims["sub"], format!("CHARACTER:EVE:{character_id}"));
    assert_eq!(claims["aud"], serde_json::json!(["sim-client", "EVE Online"]));
    assert_eq!(claims["iss"], "https://login.eveonline.com/");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 1200);
    assert_eq!(claims["scp"], "esi-killmails.read_killmails.v1");
    let character = model.world.character(character_id).unwrap();
    assert_eq!((claims["owner"].as_str(), claims["name"].as_str()), (Some(&*character.owner), Some(&*character.name)));
    for member in ["jti", "kid", "azp", "tenant", "tier", "region"] {
        assert!(claims[member].is_string(), "{member}");
    }
}

#[test]
fn several_scopes_are_a_list() {
    let mut model = model(Settings::default());
    let token = model.characters(at(0)).nth(4).unwrap().1.unwrap().to_owned();
    let answer = model.refresh_with(at(0), &token);
    assert_eq!(claims(&answer)["scp"].as_array().unwrap().len(), 2);
}

#[test]
fn rotation_has_three_modes() {
    let cases = [(Rotation::Never, true, 200), (Rotation::Always, false, 200), (Rotation::AlwaysKillOld, false, 400)];
    for (rotation, keeps, status_of_old) in cases {
        let mut model = with(SsoSettings { rotation, ..SsoSettings::default() });
        let (character_id, old) = model.first_character();
        let new = json(&model.refresh_with(at(0), &old))["refresh_token"].as_str().unwrap().to_owned();
        assert_eq!(new == old, keeps, "{rotation:?}");
        assert_eq!(model.refresh_with(at(1), &new).status, 200);
        let again = model.refresh_with(at(2), &old);
        assert_eq!(again.status, status_of_old, "{rotation:?}");
        if status_of_old == 400 {
            assert_eq!(description(&again), "Invalid refresh token. Token missing/expired.");
        }
        assert_eq!(model.counters().token_calls_by_character[&character_id], 3);
    }
}

#[test]
fn a_plus_that_was_not_encoded_is_refused() {
    let mut model = model(Settings::default());
    let (_, token) = model.first_character();
    assert!(token.contains('+') && token.contains('/') && token.len() == 24);
    let raw = Call::Token {
        content_type: Some("application/x-www-form-urlencoded; charset=utf-8".to_owned()),
        body: format!("grant_type=refresh_token&refresh_token={token}"),
    };
    let answer = model.ask(at(0), &Request { call: raw, ..refresh_request(&token) });
    assert_eq!(answer.body, r#"{"error":"invalid_grant","error_description":"Invalid refresh token."}"#);
    assert_eq!(model.refresh_with(at(0), &token).status, 200);
}

#[test]
fn what_is_wrong_with_the_application_is_told_apart() {
    let mut model = model(Settings::default());
    let (_, token) = model.first_character();
    let good = refresh_request(&token);
    let call = |content_type: &str, body: &str| Call::Token {
        content_type: Some(content_type.to_owned()),
        body: body.to_owned(),
    };
    let form = "application/x-www-form-urlencoded";
    let cases = [
        (Request { authorization: None, ..good.clone() }, 401, "invalid_client"),
        (Request { authorization: Some("Basic eDp5".to_owned()), ..good.clone() }, 401, "invalid_client"),
        (Request { call: call("application/json", "{}"), ..good.clone() }, 400, "unsupported_grant_type"),
        (Request { call: call(form, "grant_type=password"), ..good.clone() }, 400, "unsupported_grant_type"),
        (Request { call: call(form, "grant_type=refresh_token"), ..good.clone() }, 400, "invalid_request"),
        (refresh_request("AAAAAAAAAAAAAAAAAAAAAA=="), 400, "invalid_grant"),
    ];
    for (request, status, error) in cases {
        let answer = model.ask(at(0), &request);
        assert_eq!((answer.status, json(&answer)["error"].as_str()), (status, Some(error)));
        assert_eq!(answer.header("WWW-Authenticate").is_some(), status == 401);
    }
}

#[test]
fn revocation_and_transfer_end_every_refresh_token_of_the_character() {
    let mut model = model(Settings::default());
    let (character_id, first) = model.first_character();
    let second = model.login(at(0), character_id, vec!["esi-killmails.read_killmails.v1".to_owned()]).unwrap();
    assert_eq!(model.refresh_with(at(0), &first).status, 200);
    let owner_before = claims(&model.refresh_with(at(0), &second))["owner"].clone();
    assert_eq!(model.revoke(at(0), character_id).unwrap(), 2);
    for token in [&first, &second] {
        let answer = model.refresh_with(at(1), token);
        assert_eq!(answer.status, 400);
        assert_eq!(description(&answer), "Invalid refresh token. Character grant missing/expired.");
    }
    let third = model.login(at(0), character_id, vec!["esi-killmails.read_killmails.v1".to_owned()]).unwrap();
    assert_eq!(claims(&model.refresh_with(at(2), &third))["owner"], owner_before);
    model.transfer(character_id).unwrap();
    assert_eq!(model.refresh_with(at(3), &third).status, 400);
    let fourth = model.login(at(0), character_id, vec!["esi-killmails.read_killmails.v1".to_owned()]).unwrap();
    assert_ne!(claims(&model.refresh_with(at(4), &fourth))["owner"], owner_before);
}

#[test]
fn too_many_calls_in_flight_break_sso() {
    let mut model = model(Settings { token_parallel_limit: 2, ..Settings::default() });
    let (_, token) = model.first_character();
    let request = refresh_request(&token);
    let arrivals: Vec<_> = (0..3).map(|_| model.arrive(at(0), &request)).collect();
    let answers: Vec<Answer> = arrivals.iter().map(|arrival| model.answer(at(0), &request, arrival)).collect();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 500]);
    assert_eq!(answers[2].body, r#"{"Message":"An error has occurred."}"#);
    assert_eq!(model.counters().parallel_token_calls_max, 3);
    for _ in 0..3 {
        model.call_ended(request.call.route());
    }
    assert_eq!(model.refresh_with(at(0), &token).status, 200);
}
