//! In which corporations characters are: the request, the rows, and what is no answer.

use std::time::Duration;

use domain::{CharacterId, ErrorLimit, FailureClass};
use esi::{AFFILIATIONS_MAX, Answered, Call, EsiError, EsiErrorKind};

use crate::server::{Server, json, reply};

type Affiliations = Result<Answered<Vec<domain::Affiliation>>, EsiError>;

async fn ask(server: &Server, character_ids: impl IntoIterator<Item = i64>) -> Affiliations {
    let character_ids: Vec<_> = character_ids.into_iter().map(|id| CharacterId::parse(id).unwrap()).collect();
    server.esi().affiliations(&character_ids).await
}

/// As pairs of character and corporation.
fn pairs(answered: &Answered<Vec<domain::Affiliation>>) -> Vec<(i64, i64)> {
    answered.value.iter().map(|row| (row.character_id.get(), row.corporation_id.get())).collect()
}

#[tokio::test]
async fn each_character_is_asked_for_once_and_without_a_token() {
    let server = Server::start(|_| {
        let headers = [("x-esi-error-limit-remain", "97"), ("x-esi-error-limit-reset", "42")];
        let body = r#"[{"character_id":8,"corporation_id":98000002,"alliance_id":434243723,"new":[1]},
                       {"character_id":7,"corporation_id":1000001,"faction_id":500001}]"#;
        reply(200, &headers, body)
    })
    .await;
    let answered = ask(&server, [8, 7, 8]).await.unwrap();
    assert_eq!(pairs(&answered), [(7, 1_000_001), (8, 98_000_002)]);
    assert_eq!(answered.error_limit, Some(ErrorLimit { remaining: 97, resets_in: Duration::from_secs(42) }));
    assert_eq!(answered.budget, None, "the route has no bucket");
    assert_eq!(answered.cache.lives_for, Duration::from_secs(3600), "nothing is told, so the specification holds");
    let received = server.received();
    assert_eq!((received[0].method.as_str(), received[0].path.as_str()), ("POST", "/characters/affiliation"));
    assert_eq!((received[0].body.as_str(), received[0].header("content-type")), ("[7,8]", Some("application/json")));
    assert_eq!(received[0].header("authorization"), None, "the route is public");
    assert_eq!(received[0].header("x-compatibility-date"), Some(esi::COMPATIBILITY_DATE));
}

#[tokio::test]
async fn a_thousand_are_asked_for_at_once() {
    let server = Server::start(|received| {
        let asked_for: Vec<i64> = serde_json::from_str(&received.body).unwrap();
        let row = |id: &i64| format!(r#"{{"character_id":{id},"corporation_id":98000001}}"#);
        json(200, format!("[{}]", asked_for.iter().map(row).collect::<Vec<_>>().join(",")))
    })
    .await;
    let answered = ask(&server, 1..=AFFILIATIONS_MAX as i64).await.unwrap();
    assert_eq!(answered.value.len(), AFFILIATIONS_MAX);
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn strangers_and_repetitions_are_left_out_and_who_is_missing_is_missing() {
    let cases: [(&str, &[(i64, i64)]); 4] = [
        ("[]", &[]),
        (r#"[{"character_id":9,"corporation_id":98000001}]"#, &[]),
        (r#"[{"character_id":9,"corporation_id":5},{"character_id":7,"corporation_id":6}]"#, &[(7, 6)]),
        (r#"[{"character_id":7,"corporation_id":5},{"character_id":7,"corporation_id":5}]"#, &[(7, 5)]),
    ];
    for (body, expected) in cases {
        let server = Server::start(move |_| json(200, body)).await;
        assert_eq!(pairs(&ask(&server, [7, 8]).await.unwrap()), expected, "{body}");
    }
}

#[tokio::test]
async fn what_is_not_such_a_list_is_an_error() {
    let bodies = [
        "",
        "{}",
        "null",
        "<html>",
        "[7]",
        r#"[{"character_id":7}]"#,
        r#"[{"corporation_id":7}]"#,
        r#"[{"character_id":7,"corporation_id":0}]"#,
        r#"[{"character_id":7,"corporation_id":5}"#,
    ];
    for body in bodies {
        let server = Server::start(move |_| json(200, body)).await;
        let error = ask(&server, [7, 8]).await.unwrap_err();
        assert!(matches!(error.kind(), EsiErrorKind::Unreadable(_)), "{error} for {body}");
        assert_eq!(
            (error.call(), error.failure().class),
            (Call::Affiliations { characters: 2 }, FailureClass::Transient)
        );
    }
}

#[tokio::test]
async fn one_unknown_character_refuses_all_and_tells_what_is_left_of_the_error_limit() {
    for (status, remain, remaining) in [(404, "19", 19), (400, "0", 0), (400, "-1", 0)] {
        let headers = [("x-esi-error-limit-remain", remain), ("x-esi-error-limit-reset", "7")];
        let server = Server::start(move |_| reply(status, &headers, r#"{"error":"Character not found"}"#)).await;
        let error = ask(&server, [7, 8]).await.unwrap_err();
        assert_eq!(*error.kind(), EsiErrorKind::Refused { status });
        assert_eq!(error.error_limit(), Some(ErrorLimit { remaining, resets_in: Duration::from_secs(7) }));
        assert_eq!(server.received().len(), 1, "nothing is asked twice");
        assert_eq!(
            error.to_string(),
            format!("corporations of 2 characters: ESI refused with {status} (it said: Character not found)")
        );
    }
}

#[tokio::test]
async fn other_troubles_are_those_of_every_route() {
    let limited = EsiErrorKind::ErrorLimited { retry_after: Duration::from_secs(8) };
    let spent = EsiErrorKind::BudgetSpent { group: None, retry_after: Duration::from_secs(60) };
    for (status, kind) in [(420, limited), (429, spent), (520, EsiErrorKind::Unavailable { status: 520 })] {
        let server = Server::start(move |_| reply(status, &[("x-esi-error-limit-reset", "7")], "")).await;
        let error = ask(&server, [7]).await.unwrap_err();
        assert_eq!((error.kind(), error.error_limit()), (&kind, None));
    }
}
