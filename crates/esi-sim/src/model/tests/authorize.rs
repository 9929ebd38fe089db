//! The way of a login: the authorize page, the code, the exchange.

use std::collections::HashMap;

use url::Url;

use super::super::steering::Choice;
use super::super::{Answer, Call, Model, Request};
use super::{BASIC, at, json, model, request};
use crate::model::Settings;

/// From RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const LIST_SCOPE: &str = "esi-killmails.read_killmails.v1";

/// The query's parameters, `Authorization`, what stands beside the code, and the status that follows.
type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, String, u16);

/// A query as a client writes it, with some parameters in place of others; empty ones are left out.
fn query(changes: &[(&str, &str)]) -> String {
    let mut parameters: Vec<(&str, &str)> = vec![
        ("response_type", "code"),
        ("client_id", "sim-client"),
        ("redirect_uri", "http://127.0.0.1:5000/callback?from=sso"),
        ("scope", LIST_SCOPE),
        ("state", "a state & more"),
    ];
    for (name, value) in changes {
        parameters.retain(|(known, _)| known != name);
        parameters.push((name, value));
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.into_iter().filter(|(_, value)| !value.is_empty())).finish()
}

fn authorize(model: &mut Model, changes: &[(&str, &str)]) -> Answer {
    model.ask(at(0), &request(Call::Authorize { query: query(changes) }))
}

fn location(answer: &Answer) -> HashMap<String, String> {
    assert_eq!(answer.status, 302, "{}", answer.body);
    let url = Url::parse(answer.header("Location").unwrap()).unwrap();
    assert!(url.as_str().starts_with("http://127.0.0.1:5000/callback?from=sso&"), "{url}");
    url.query_pairs().into_owned().collect()
}

/// `more` is what a client writes beside the code.
fn exchange(model: &mut Model, seconds: i64, authorization: Option<&str>, code: &str, more: &str) -> Answer {
    let call = Call::Token {
        content_type: Some("application/x-www-form-urlencoded".to_owned()),
        body: format!("grant_type=authorization_code&code={code}{more}"),
    };
    model.ask(at(seconds), &Request { authorization: authorization.map(str::to_owned), ..request(call) })
}

#[test]
fn a_user_chooses_a_character_and_the_code_is_good_once() {
    let mut model = model(Settings::default());
    let (character_id, _) = model.first_character();
    let page = authorize(&mut model, &[]);
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    let link = format!("state=a+state+%26+more&amp;character_id={character_id}\"");
    assert!(page.body.contains(&link), "{}", page.body);

    let back = location(&authorize(&mut model, &[("character_id", &character_id.to_string())]));
    assert_eq!(back["state"], "a state & more");
    let grant = exchange(&mut model, 299, Some(BASIC), &back["code"], "");
    assert_eq!((grant.status, &json(&grant)["token_type"]), (200, &"Bearer".into()));
    let refresh_token = json(&grant)["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(model.refresh_with(at(300), &refresh_token).status, 200);
    let again = exchange(&mut model, 299, Some(BASIC), &back["code"], "");
    assert_eq!((again.status, &json(&again)["error"]), (400, &"invalid_grant".into()));
}

#[test]
fn a_code_ends_after_five_minutes() {
    let mut model = model(Settings::default());
    let (character_id, _) = model.first_character();
    let back = location(&authorize(&mut model, &[("character_id", &character_id.to_string())]));
    assert_eq!(exchange(&mut model, 300, Some(BASIC), &back["code"], "").status, 400);
}

#[test]
fn the_verifier_must_fit_and_stands_in_for_a_secret() {
    let mut model = model(Settings::default());
    let (character_id, _) = model.first_character();
    let pkce = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
    let verifier = format!("&code_verifier={VERIFIER}");
    let public = "&client_id=sim-client";
    let cases: [Case<'_>; 7] = [
        (&pkce, None, format!("{public}{verifier}"), 200),
        (&pkce, Some(BASIC), verifier.clone(), 200),
        (&pkce, Some(BASIC), format!("{verifier}x"), 400),
        (&pkce, Some(BASIC), String::new(), 400),
        (&pkce, None, verifier.clone(), 401),
        (&[], None, public.to_owned(), 401),
        (&[], Some(BASIC), verifier.clone(), 400),
    ];
    model.choose(Some(Choice::Character(character_id)));
    for (changes, authorization, more, status) in cases {
        let code = location(&authorize(&mut model, changes)).remove("code").unwrap();
        let answer = exchange(&mut model, 0, authorization, &code, &more);
        assert_eq!(answer.status, status, "{changes:?} {more}: {}", answer.body);
    }
    // A login without a secret is refreshed without one.
    let code = location(&authorize(&mut model, &pkce)).remove("code").unwrap();
    let grant = json(&exchange(&mut model, 0, None, &code, &format!("{public}{verifier}")));
    let refresh = super::refresh_request(grant["refresh_token"].as_str().unwrap());
    let Call::Token { content_type, body } = refresh.call else { unreachable!("it is a token call") };
    let call = Call::Token { content_type, body: format!("{body}{public}") };
    assert_eq!(model.ask(at(0), &request(call)).status, 200);
}

#[test]
fn a_login_without_scopes_cannot_be_renewed() {
    let mut model = model(Settings::default());
    let (character_id, _) = model.first_character();
    let asked = [("scope", ""), ("character_id", &character_id.to_string())];
    let code = location(&authorize(&mut model, &asked)).remove("code").unwrap();
    let grant = json(&exchange(&mut model, 0, Some(BASIC), &code, ""));
    assert!(grant["access_token"].is_string() && grant["refresh_token"].is_null(), "{grant}");
}

#[test]
fn what_an_application_does_wrong_is_told_where_it_is_safe_to_tell() {
    let mut model = model(Settings::default());
    let told = [
        ("response_type", "token", "unsupported_response_type"),
        ("state", "", "invalid_request"),
        ("scope", "esi-skills.read_skills.v1", "invalid_scope"),
        ("code_challenge", CHALLENGE, "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("deny", "1", "access_denied"),
    ];
    for (name, value, error) in told {
        let back = location(&authorize(&mut model, &[(name, value)]));
        assert_eq!(back["error"], error, "{name}={value}");
        assert_eq!(back.contains_key("state"), name != "state");
        assert!(!back.contains_key("code"));
    }
    let shown = [
        ("client_id", "another"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "https://example.com/callback"),
        ("redirect_uri", "http://127.0.0.1.example.com/"),
        ("redirect_uri", "http://127.0.0.1/#fragment"),
        ("redirect_uri", "javascript:alert(1)"),
        ("character_id", "1"),
        ("character_id", "x"),
    ];
    for (name, value) in shown {
        let page = authorize(&mut model, &[(name, value)]);
        assert_eq!((page.status, page.header("Location")), (400, None), "{name}={value}");
    }
    for callback in ["http://localhost:1/", "http://[::1]:9/x", "https://127.0.0.2/"] {
        assert_eq!(authorize(&mut model, &[("redirect_uri", callback)]).status, 200, "{callback}");
    }
}

#[test]
fn a_page_repeats_nothing_as_markup() {
    let mut model = model(Settings::default());
    let page = model.ask(at(0), &request(Call::Authorize { query: format!("{}&x=\"><script>", query(&[])) }));
    assert!(page.status == 200 && !page.body.contains("<script>"), "{}", page.body);
}
