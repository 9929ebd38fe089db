//! Lifetimes, consumed tokens, ways to show a secret, revocation and validation: what IdentityServer4 can be set to.

use super::super::fault::Signature;
use super::super::sso_settings::{Algorithm, ClientAuth, Replay, Rotation, SsoSettings};
use super::super::steering::Change;
use super::super::{Answer, Call, Model, Request};
use super::{BASIC, at, json, refresh_request, request, with};

const ONE_TIME_ONLY: Rotation = Rotation::AlwaysKillOld;

fn next(answer: &Answer) -> String {
    json(answer)["refresh_token"].as_str().unwrap().to_owned()
}

fn form(body: &str) -> Call {
    let content_type = Some("application/x-www-form-urlencoded".to_owned());
    Call::Token { content_type, body: body.to_owned() }
}

fn validate(model: &mut Model, seconds: i64, scheme: &str, grant: &Answer) -> Answer {
    let authorization = format!("{scheme} {}", json(grant)["access_token"].as_str().unwrap());
    model.ask(at(seconds), &Request { authorization: Some(authorization), ..request(Call::Validate) })
}

#[test]
fn a_sliding_lifetime_begins_anew_with_each_refresh_and_an_absolute_one_does_not() {
    for rotation in [Rotation::Never, Rotation::Always, ONE_TIME_ONLY] {
        let (sliding, absolute) = (Some(100), Some(250));
        let lives = SsoSettings { rotation, sliding_lifetime_seconds: sliding, ..SsoSettings::default() };
        let mut model = with(lives.clone());
        let (character_id, mut token) = model.first_character();
        for seconds in [99, 198, 297] {
            let answer = model.refresh_with(at(seconds), &token);
            assert_eq!(answer.status, 200, "{rotation:?} {seconds}");
            token = next(&answer);
        }
        assert_eq!(model.live_refresh_tokens(at(396), character_id).last(), Some(token.as_str()));
        assert_eq!(model.live_refresh_tokens(at(397), character_id).count(), 0);
        let refused = model.refresh_with(at(397), &token);
        assert_eq!(json(&refused)["error_description"], "Invalid refresh token. Token missing/expired.");

        let mut model = with(SsoSettings { absolute_lifetime_seconds: absolute, ..lives });
        let (_, mut token) = model.first_character();
        for (seconds, status) in [(99, 200), (198, 200), (250, 400)] {
            let answer = model.refresh_with(at(seconds), &token);
            assert_eq!(answer.status, status, "{rotation:?} {seconds}");
            token = if status == 200 { next(&answer) } else { token };
        }
    }
}

#[test]
fn logins_can_be_made_older() {
    let mut model = with(SsoSettings { sliding_lifetime_seconds: Some(100), ..SsoSettings::default() });
    let (_, token) = model.first_character();
    model.age_logins(99);
    assert_eq!(model.refresh_with(at(0), &token).status, 200);
    model.age_logins(100);
    assert_eq!(model.refresh_with(at(0), &token).status, 400);
}

#[test]
fn a_consumed_token_works_for_its_grace_and_no_longer() {
    let mut model = with(SsoSettings { rotation: ONE_TIME_ONLY, grace_seconds: 30, ..SsoSettings::default() });
    let (character_id, old) = model.first_character();
    let first = next(&model.refresh_with(at(0), &old));
    let second = next(&model.refresh_with(at(29), &old));
    assert_eq!(model.live_refresh_tokens(at(29), character_id).count(), 3);
    assert_eq!(model.refresh_with(at(30), &old).status, 400);
    let live: Vec<_> = model.live_refresh_tokens(at(30), character_id).map(str::to_owned).collect();
    assert_eq!(live, [first, second]);
}

#[test]
fn a_replay_can_cost_the_whole_login_and_no_other_one() {
    for (replay, status) in [(Replay::Refuse, 200), (Replay::RevokeLogin, 400)] {
        let mut model = with(SsoSettings { rotation: ONE_TIME_ONLY, replay, ..SsoSettings::default() });
        let (character_id, old) = model.first_character();
        let other_login = model.login(at(0), character_id, vec!["publicData".to_owned()]).unwrap();
        let new = next(&model.refresh_with(at(0), &old));
        let refused = model.refresh_with(at(1), &old);
        assert_eq!(json(&refused)["error"], "invalid_grant");
        assert_eq!(model.refresh_with(at(2), &new).status, status, "{replay:?}");
        assert_eq!(model.refresh_with(at(2), &other_login).status, 200);
    }
}

#[test]
fn a_secret_is_taken_by_basic_authentication_or_in_the_body_as_it_is_set() {
    let secret = "client_id=sim-client&client_secret=sim-secret";
    let cases = [
        (ClientAuth::Any, [200, 200, 401, 401, 401]),
        (ClientAuth::Basic, [200, 401, 401, 401, 401]),
        (ClientAuth::Body, [401, 200, 401, 401, 401]),
        (ClientAuth::None, [401, 401, 401, 401, 200]),
    ];
    for (client_auth, expected) in cases {
        let mut model = with(SsoSettings { client_auth, ..SsoSettings::default() });
        let (_, token) = model.first_character();
        let grant = match &refresh_request(&token).call {
            Call::Token { body, .. } => body.clone(),
            _ => unreachable!("it is a token call"),
        };
        let mut ask = |authorization: Option<&str>, more: &str| {
            let call = form(&format!("{grant}{more}"));
            model.ask(at(0), &Request { authorization: authorization.map(str::to_owned), ..request(call) }).status
        };
        let statuses = [
            ask(Some(BASIC), ""),
            ask(None, &format!("&{secret}")),
            ask(None, "&client_id=sim-client&client_secret=wrong"),
            ask(None, "&client_id=another&client_secret=sim-secret"),
            // Without a secret only for a login that was made without one, unless there is no secret at all.
            ask(None, "&client_id=sim-client"),
        ];
        assert_eq!(statuses, expected, "{client_auth:?}");
    }
}

#[test]
fn what_is_revoked_is_refused_and_no_longer_valid() {
    let mut model = with(SsoSettings { rotation: ONE_TIME_ONLY, ..SsoSettings::default() });
    let (character_id, old) = model.first_character();
    let grant = model.refresh_with(at(0), &old);
    for scheme in ["OAuth", "Bearer"] {
        let valid = validate(&mut model, 100, scheme, &grant);
        assert_eq!((valid.status, &json(&valid)["expires_in"]), (200, &1100.into()));
        assert_eq!(json(&valid)["user_id"], character_id.to_string());
        assert_eq!(json(&valid)["scopes"][0], "esi-killmails.read_killmails.v1");
        assert_eq!(json(&valid)["client_id"], "sim-client");
    }
    let mut revoke = |authorization: &str, token: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let content_type = Some("application/x-www-form-urlencoded".to_owned());
        let call = Call::Revoke { content_type, body: format!("token_type_hint=refresh_token&token={encoded}") };
        let answer = model.ask(at(1), &Request { authorization: Some(authorization.to_owned()), ..request(call) });
        assert_eq!(answer.status, 200);
        validate(&mut model, 2, "OAuth", &grant).status
    };
    assert_eq!(revoke(BASIC, "AAAAAAAAAAAAAAAAAAAAAA=="), 200);
    assert_eq!(revoke("Basic eDp5", &next(&grant)), 200, "a stranger revokes nothing");
    assert_eq!(revoke(BASIC, &next(&grant)), 401);
    let refused = model.refresh_with(at(3), &next(&grant));
    assert_eq!(json(&refused)["error_description"], "Invalid refresh token. Character grant missing/expired.");
    let list =
        super::list_request(character_id, &format!("Bearer {}", json(&grant)["access_token"].as_str().unwrap()), None);
    assert_eq!(model.ask(at(3), &list).status, 200, "ESI believes an access token until it ends");
}

#[test]
fn what_tokens_say_changes_with_the_next_refresh() {
    let mut model = with(SsoSettings { algorithm: Algorithm::Es256, ..SsoSettings::default() });
    let (character_id, token) = model.first_character();
    let change = Change { name: Some("Another Name".to_owned()), scopes: Some(Vec::new()), ..Change::default() };
    model.change(character_id, change).unwrap();
    let grant = model.refresh_with(at(0), &token);
    let token = json(&grant)["access_token"].as_str().unwrap().to_owned();
    let claims: serde_json::Value = serde_json::from_str(&model.signing_keys.open(&token).unwrap()).unwrap();
    assert_eq!(claims["name"], "Another Name");
    assert_eq!(claims.get("scp"), None, "no scope, no claim");
}

#[test]
fn a_forged_token_is_what_the_fault_says_and_the_state_changes() {
    let settings = SsoSettings { rotation: ONE_TIME_ONLY, ..SsoSettings::default() };
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let mut model = with(SsoSettings { algorithm, ..settings.clone() });
        let (_, mut refresh_token) = model.first_character();
        let cases = [
            (Signature::Good, algorithm.name(), true),
            (Signature::Unsigned, "none", false),
            (Signature::Wrong, algorithm.name(), false),
            (Signature::UnknownKey, algorithm.name(), true),
        ];
        for (signature, named, opens) in cases {
            let signature = serde_json::json!(signature);
            model.put_fault(&format!(
                r#"{{"on":"token","do":{{"kind":"forge","claims":{{"sub":"CHARACTER:EVE:1","scp":null}},"signature":{signature}}}}}"#
            ));
            let answer = model.refresh_with(at(0), &refresh_token);
            refresh_token = next(&answer);
            let token = json(&answer)["access_token"].as_str().unwrap().to_owned();
            let head = super::decoded(token.split('.').next().unwrap());
            assert_eq!(head["alg"], named);
            assert_eq!(model.signing_keys.open(&token).is_some(), opens, "{signature}");
            let claims = super::decoded(token.split('.').nth(1).unwrap());
            assert_eq!((claims["sub"].as_str(), claims.get("scp")), (Some("CHARACTER:EVE:1"), None));
        }
    }
}

#[test]
fn members_of_a_grant_can_be_changed_or_taken_away() {
    let mut model = with(SsoSettings::default());
    let (_, token) = model.first_character();
    model.put_fault(r#"{"on":"token","do":{"kind":"members","changes":{"expires_in":"-1","access_token":null}}}"#);
    let answer = json(&model.refresh_with(at(0), &token));
    assert_eq!(answer["expires_in"], "-1");
    assert_eq!(answer.get("access_token"), None);
    assert_eq!(answer["refresh_token"], token.as_str());
}
