//! Killmail bodies.

use std::time::Duration;

use domain::{FailureClass, KillmailHash, KillmailId, KillmailRef};
use esi::{Answered, EsiError, EsiErrorKind, KillmailBody};

use crate::server::{Server, json, reply};

const HASH: &str = "9802da62e92a1d86fabdd48963e714819106fa8b";
/// With odd spacing, a number that a re-print would change, and an unknown member.
const KILLMAIL: &str = r#"{"killmail_id": 7,  "killmail_time":"2016-10-22T17:13:36Z","solar_system_id":30002976,
 "victim":{"damage_taken":5,"ship_type_id":670,"position":{"x":1.50e11,"y":-0.0,"z":3},"items":[]},
 "attackers":[{"security_status":0.10,"final_blow":true,"damage_done":5}],"killmarks":3}"#;

async fn ask(server: &Server) -> Result<Answered<KillmailBody>, EsiError> {
    let killmail_hash = KillmailHash::parse(HASH).unwrap();
    server.esi().killmail_body(&KillmailRef { killmail_id: KillmailId::parse(7).unwrap(), killmail_hash }).await
}

#[tokio::test]
async fn a_body_is_kept_byte_for_byte() {
    let server = Server::start(|_| {
        let headers = [
            ("cache-control", "public, max-age=2592000"),
            ("x-ratelimit-group", "killmail"),
            ("x-ratelimit-limit", "3600/15m"),
            ("x-ratelimit-remaining", "3598"),
        ];
        reply(200, &headers, KILLMAIL)
    })
    .await;
    let answered = ask(&server).await.unwrap();
    assert_eq!(answered.value.json, KILLMAIL);
    assert_eq!((answered.value.killmail_id.get(), answered.value.solar_system_id), (7, 30_002_976));
    assert_eq!(answered.value.killmail_time.to_rfc3339(), "2016-10-22T17:13:36+00:00");
    assert_eq!(answered.cache.lives_for, Duration::from_secs(2_592_001));
    assert_eq!(answered.budget.unwrap().remaining, 3598);
    let received = server.received();
    assert_eq!(received[0].path, format!("/killmails/7/{HASH}"));
    assert_eq!(received[0].header("authorization"), None, "the route is public");
    assert_eq!(received[0].header("x-compatibility-date"), Some(esi::COMPATIBILITY_DATE));
}

#[tokio::test]
async fn what_is_not_the_killmail_is_tried_again_later() {
    let bodies = [
        KILLMAIL.replace("\"killmail_id\": 7", "\"killmail_id\": 8"),
        KILLMAIL.replace("victim", "victor"),
        KILLMAIL.replace("attackers", "defenders"),
        KILLMAIL.replace("solar_system_id", "solar_system"),
        KILLMAIL.replace("2016-10-22T", "yesterday"),
        KILLMAIL[..KILLMAIL.len() - 1].to_owned(),
        "<html>".to_owned(),
        "[]".to_owned(),
        String::new(),
    ];
    for body in bodies {
        let answer = body.clone();
        let server = Server::start(move |_| json(200, answer.clone())).await;
        let error = ask(&server).await.unwrap_err();
        assert!(matches!(error.kind(), EsiErrorKind::Unreadable(_)), "{error} for {body}");
        assert_eq!(error.failure().class, FailureClass::Transient);
    }
    let server = Server::start(|_| json(200, vec![b'"', 0xff, b'"'])).await;
    assert!(matches!(ask(&server).await.unwrap_err().kind(), EsiErrorKind::Unreadable(_)));
}
