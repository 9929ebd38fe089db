//! Whatever the token route answers (status, headers, body): nothing panics, a refresh token that can be read is not
//! lost, nobody is blamed for trouble, and no secret gets into an error. And whatever stands for an access token, nobody
//! is taken for somebody by it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use domain::token::RefusalClass;
use esi::{Grant, RefreshError, Sso};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use secrecy::{ExposeSecret, SecretString};

use crate::server::{Server, json, reply};
use crate::tokens::{EXP, Signer, claims, key_set};

const CASES: u32 = 600;
const SENT_TOKEN: &str = "U0VOVA+sent/refresh==";
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// The refresh token in it, where the body was not made to be unreadable.
    held: Option<String>,
}

impl Answer {
    /// Whether a caller can see its body and must make use of it.
    fn is_readable_grant(&self) -> bool {
        let is_garbled = self.headers.iter().any(|(name, value)| *name == "content-encoding" && value == "gzip");
        matches!(self.status, 200..=203 | 206..=226) && !is_garbled
    }
}

/// A value of JSON as it stands in a text, also such as hardly any program can represent.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "[!-~]{1,40}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter_map("JSON knows no other numbers", |number| {
            number.is_finite().then(|| number.to_string())
        }),
        prop::sample::select(vec![
            "null",
            "true",
            "{}",
            "[]",
            "\"\"",
            "0",
            "-0",
            "-1",
            "1199",
            "1e999",
            "-1e999",
            "1e-999",
            "99999999999999999999999",
            "\"1199\"",
            "\"NaN\"",
            r#""\ud800""#,
            r#""\u0000""#,
            r#"{"a":[{"b":null}]}"#,
        ])
        .prop_map(str::to_owned),
        (1_usize..400).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
    ]
}

/// An object with the members of a grant, some of them missing or odd, in any order.
fn grant() -> impl Strategy<Value = (Vec<u8>, Option<String>)> {
    let members = [Just("access_token"), Just("expires_in"), Just("token_type"), Just("x")];
    let others = members.map(|name| prop::option::of((name, value())));
    (others, prop::option::weighted(0.8, "[ -~]{1,60}"), any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(others, refresh_token, place, has_mark)| {
            let mut members: Vec<String> =
                others.into_iter().flatten().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            if let Some(token) = &refresh_token {
                let member = format!("\"refresh_token\":{}", serde_json::to_string(token).unwrap());
                members.insert(place.index(members.len() + 1), member);
            }
            let mark = if has_mark { "\u{feff}" } else { "" };
            (format!("{mark}{{{}}}", members.join(" ,\n")).into_bytes(), refresh_token)
        },
    )
}

fn body() -> impl Strategy<Value = (Vec<u8>, Option<String>)> {
    let error = ("[a-z_:. ]{0,30}", any::<String>())
        .prop_map(|(code, words)| serde_json::json!({ "error": code, "error_description": words }).to_string());
    let refusals = vec!["invalid_grant", "invalid_client", "invalid_request", "unauthorized_client", "surprise"];
    let refusal = prop::sample::select(refusals)
        .prop_map(|code| serde_json::json!({ "error": code, "sent": SENT_TOKEN, "Message": SENT_TOKEN }).to_string());
    let damaged = (grant(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|((mut body, _), place, byte)| {
        let place = place.index(body.len());
        if byte % 2 == 0 {
            body.truncate(place)
        } else {
            body[place] = byte
        }
        body
    });
    let unreadable = |body: Vec<u8>| (body, None);
    prop_oneof![
        6 => grant(),
        2 => damaged.prop_map(unreadable),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(unreadable),
        1 => value().prop_map(String::into_bytes).prop_map(unreadable),
        1 => error.prop_map(String::into_bytes).prop_map(unreadable),
        1 => refusal.prop_map(String::into_bytes).prop_map(unreadable),
        1 => Just(b"<html>".to_vec()).prop_map(unreadable),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let names = ["content-type", "retry-after", "location", "content-encoding", "www-authenticate", "set-cookie"];
    let values = prop_oneof![
        "[ -~]{0,40}",
        prop::sample::select(vec!["gzip", "br", "text/html", "application/json", "120", "-1", "99999999999999999999"])
            .prop_map(str::to_owned),
    ];
    let headers = prop::collection::vec((prop::sample::select(names.to_vec()), values), 0..4);
    let status = prop_oneof![4 => Just(200_u16), 1 => Just(400_u16), 3 => 200_u16..600];
    (status, headers, body()).prop_map(|(status, headers, (body, held))| Answer { status, headers, body, held })
}

fn judge(answer: &Answer, refreshed: &Result<Grant, RefreshError>) -> Result<(), TestCaseError> {
    if let (Some(held), true) = (&answer.held, answer.is_readable_grant()) {
        let kept = refreshed.as_ref().ok().and_then(|grant| grant.refresh_token.as_ref());
        prop_assert_eq!(kept.map(ExposeSecret::expose_secret), Some(held.as_str()), "the refresh token is lost");
    }
    match refreshed {
        Ok(grant) => {
            prop_assert!((200..300).contains(&answer.status));
            if let Ok(access) = &grant.access {
                prop_assert!(access.expires_in >= Duration::from_secs(1) && access.expires_in <= DAY);
                prop_assert!(access.access_token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
        Err(error) => {
            let may_blame = matches!(answer.status, 400 | 401 | 403);
            prop_assert!(may_blame || error.class() == RefusalClass::Transient, "{}", error);
            for shown in [error.to_string(), format!("{error:?}"), error.failure().reason] {
                prop_assert!(!shown.contains(SENT_TOKEN) && shown.len() < 4000, "{}", shown);
            }
            prop_assert!(error.code().len() <= 64 && !error.code().contains(' '));
        }
    }
    Ok(())
}

/// Runs a property whose cases need the runtime.
fn check<S: Strategy>(strategy: &S, cases: u32, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(strategy, property).unwrap_or_else(|failure| panic!("{failure}"));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn no_answer_loses_a_refresh_token_or_blames_the_wrong_one() {
    let runtime = runtime();
    let next = Arc::new(Mutex::new(None::<Answer>));
    let script = Arc::clone(&next);
    let server = runtime.block_on(Server::start(move |received| match received.path.as_str() {
        "/v2/oauth/token" => {
            let Answer { status, headers, body, .. } = script.lock().unwrap().clone().unwrap();
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            reply(status, &headers, body)
        }
        _ => json(404, ""),
    }));
    let (sso, sent) = (server.sso(), SecretString::from(SENT_TOKEN));
    check(&answer(), CASES, |answer| {
        *next.lock().unwrap() = Some(answer.clone());
        judge(&answer, &runtime.block_on(sso.refresh(&sent)))
    });
}

#[test]
fn no_text_is_taken_for_an_access_token_that_was_not_signed() {
    let runtime = runtime();
    let signer = Signer::rsa();
    let keys = key_set(&[signer.jwk("key")]);
    let server = runtime.block_on(Server::start(move |_| json(200, keys.clone())));
    let sso: Sso = server.sso();
    let good = signer.token("key", &claims());
    let now = DateTime::from_timestamp(EXP - 600, 0).unwrap();
    let changed = (any::<prop::sample::Index>(), "[ -~]{0,3}").prop_map(|(place, text)| {
        let mut token = good.clone();
        let place = place.index(token.len());
        token.replace_range(place..=place, &text);
        token
    });
    let texts = prop_oneof![any::<String>(), "[a-zA-Z0-9_.-]{0,300}", changed, Just(good.clone())];
    check(&texts, CASES, |token| {
        let identity = runtime.block_on(sso.identify(&SecretString::from(token.as_str()), now));
        prop_assert_eq!(identity.is_ok(), token == good, "{}", token);
        Ok(())
    });
}
