//! The status of the game server.

use std::time::Duration;

use esi::{Answered, Call, EsiError, EsiErrorKind, ServerStatus};

use crate::server::{Server, json, reply};

async fn ask(server: &Server) -> Result<Answered<ServerStatus>, EsiError> {
    server.esi().server_status().await
}

#[tokio::test]
async fn an_open_server_and_how_long_that_is_believed() {
    let server = Server::start(|_| {
        let body = r#"{"players":23045,"server_version":"3142455","start_time":"2026-11-19T11:01:55Z","new":[1]}"#;
        reply(200, &[("cache-control", "public, max-age=30")], body)
    })
    .await;
    let answered = ask(&server).await.unwrap();
    assert_eq!((answered.value.players, answered.value.is_vip), (23_045, false));
    assert_eq!(answered.value.started_at.unwrap().to_rfc3339(), "2026-11-19T11:01:55+00:00");
    assert_eq!(answered.cache.lives_for, Duration::from_secs(31));
    let received = server.received();
    assert_eq!(received[0].path, "/status");
    assert_eq!(received[0].header("authorization"), None, "the route is public");
    assert_eq!(received[0].header("x-compatibility-date"), Some(esi::COMPATIBILITY_DATE));
}

#[tokio::test]
async fn only_players_are_needed_and_every_word_of_vip_counts() {
    let cases = [
        (r#"{"players":0}"#, false),
        (r#"{"players":1,"vip":false,"start_time":7}"#, false),
        (r#"{"players":1,"vip":null,"start_time":"yesterday"}"#, false),
        (r#"{"players":1,"vip":true}"#, true),
        (r#"{"players":1,"vip":"soon"}"#, true),
    ];
    for (body, is_vip) in cases {
        let server = Server::start(move |_| json(200, body)).await;
        let answered = ask(&server).await.unwrap();
        assert_eq!((answered.value.is_vip, answered.value.started_at), (is_vip, None), "{body}");
        assert_eq!(answered.cache.lives_for, Duration::from_secs(30), "nothing is told, so the specification holds");
    }
}

#[tokio::test]
async fn what_is_not_a_status_is_an_error() {
    for body in ["", "[]", "{}", "null", "<html>", r#"{"players":"many"}"#, r#"{"players":-1}"#] {
        let server = Server::start(move |_| json(200, body)).await;
        let error = ask(&server).await.unwrap_err();
        assert!(matches!(error.kind(), EsiErrorKind::Unreadable(_)), "{error} for {body}");
        assert_eq!(error.call(), Call::Status);
    }
    let bodies: [(u16, &str); 4] = [
        (502, "<html>bad gateway</html>"),
        (503, r#"{"error":"ESI is currently in maintenance mode. Please try again later."}"#),
        (503, r#"{"error":"The datasource tranquility is temporarily unavailable"}"#),
        (504, r#"{"error":"Timeout contacting tranquility","timeout":10}"#),
    ];
    for (status, body) in bodies {
        let server = Server::start(move |_| json(status, body)).await;
        assert_eq!(*ask(&server).await.unwrap_err().kind(), EsiErrorKind::Unavailable { status });
    }
    let server = Server::start(|_| reply(420, &[("x-esi-error-limit-reset", "7")], "")).await;
    let error = ask(&server).await.unwrap_err();
    assert!(matches!(error.kind(), EsiErrorKind::ErrorLimited { .. }), "{error}");
}
