//! What holds for every exchange: time limits, bounds, redirects, compression, connections that break.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use domain::{CharacterId, FailureClass, ListOwner};
use esi::{BuildError, Esi, EsiErrorKind, Http, ListPage, TimeLimits};
use futures_util::stream::{self, StreamExt};
use secrecy::SecretString;
use url::Url;

use crate::server::{CONTACT, Reply, Server, dead_address, http, json, raw_answer, reply, short_limits};

/// The error of asking for a list; panics if there is none.
async fn trouble(esi: &Esi) -> EsiErrorKind {
    let character_id = CharacterId::parse(1).unwrap();
    let error =
        esi.killmail_list(ListOwner::Character(character_id), 1, &SecretString::from("token"), None).await.unwrap_err();
    assert_eq!(error.failure().class, FailureClass::Transient, "{error}");
    error.kind().clone()
}

fn patient_for_a_moment(server: &Server) -> Esi {
    Esi::build(Http::build_with(CONTACT, short_limits()).unwrap(), server.url.clone()).unwrap()
}

#[tokio::test]
async fn redirects_are_named_and_not_followed() {
    for status in [301, 302, 307, 308] {
        let server = Server::start(move |received| match received.path.as_str() {
            "/elsewhere" => json(200, "[]"),
            _ => reply(status, &[("location", "/elsewhere?token=secret#part")], ""),
        })
        .await;
        let expected = EsiErrorKind::Redirected { status, target: "/elsewhere".to_owned() };
        assert_eq!(trouble(&server.esi()).await, expected);
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn a_slow_answer_has_an_end() {
    let server = Server::start(|_| Reply::Never).await;
    assert_eq!(
        trouble(&patient_for_a_moment(&server)).await,
        EsiErrorKind::Unreachable("no answer in time".to_owned())
    );
    // The limit holds to the last byte.
    let server = Server::start(|_| {
        let start_only = stream::iter([Ok::<_, io::Error>("[")]).chain(stream::pending());
        json(200, Body::from_stream(start_only))
    })
    .await;
    let kind = trouble(&patient_for_a_moment(&server)).await;
    assert_eq!(kind, EsiErrorKind::Unreadable("no answer in time".to_owned()));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_unreadable() {
    let (url, _running) = raw_answer("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[]").await;
    let kind = trouble(&Esi::build(http(), url).unwrap()).await;
    assert!(matches!(kind, EsiErrorKind::Unreadable(_)), "{kind:?}");
    // Half a gzip stream.
    let half = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0x8b, 0x8e];
    let server = Server::start(move |_| reply(200, &[("content-encoding", "gzip")], half.clone())).await;
    assert!(matches!(trouble(&server.esi()).await, EsiErrorKind::Unreadable(_)));
    // The status of an error counts, however its body ends, and a cut body is not quoted.
    let (url, _running) = raw_answer("HTTP/1.1 503 Oh\r\ncontent-length: 100\r\n\r\nhalf of tok").await;
    let character_id = CharacterId::parse(1).unwrap();
    let esi = Esi::build(http(), url).unwrap();
    let error =
        esi.killmail_list(ListOwner::Character(character_id), 1, &SecretString::from("token"), None).await.unwrap_err();
    assert_eq!(*error.kind(), EsiErrorKind::Unavailable { status: 503 });
    assert!(!error.to_string().contains("tok"), "{error}");
    // Nothing at all comes back.
    let (url, _running) = raw_answer("").await;
    let kind = trouble(&Esi::build(http(), url).unwrap()).await;
    assert!(matches!(kind, EsiErrorKind::Unreachable(_)), "{kind:?}");
}

#[tokio::test]
async fn nobody_listens() {
    let esi = Esi::build(http(), dead_address().await).unwrap();
    let EsiErrorKind::Unreachable(why) = trouble(&esi).await else { panic!("reached") };
    assert!(why.starts_with("no connection"), "{why}");
}

/// A gzip stream without end that unpacks to spaces; counts the mebibytes that were taken from it.
fn bomb(sent: Arc<AtomicUsize>) -> Body {
    const MEBIBYTE: &[u8] = include_bytes!("../fixtures/one-mebibyte-of-spaces.deflate");
    const GZIP_HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mebibytes = stream::repeat(MEBIBYTE).inspect(move |_| {
        sent.fetch_add(1, Ordering::Relaxed);
    });
    Body::from_stream(stream::iter([GZIP_HEADER]).chain(mebibytes).map(Ok::<_, io::Error>))
}

#[tokio::test]
async fn a_compressed_bomb_stops_early() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let server = Server::start(move |_| reply(200, &[("content-encoding", "gzip")], bomb(Arc::clone(&counter)))).await;
    let EsiErrorKind::Unreadable(why) = trouble(&server.esi()).await else { panic!("read") };
    assert!(why.contains("larger than 8388608 bytes"), "{why}");
    assert!(sent.load(Ordering::Relaxed) >= 8);
    // Of an error the first lines are enough; it is classed by its status.
    let counter = Arc::clone(&sent);
    let server = Server::start(move |_| reply(502, &[("content-encoding", "gzip")], bomb(Arc::clone(&counter)))).await;
    assert_eq!(trouble(&server.esi()).await, EsiErrorKind::Unavailable { status: 502 });
}

#[tokio::test]
async fn a_body_up_to_the_bound_is_read() {
    for (bytes, fits) in [(8 * 1024 * 1024, true), (8 * 1024 * 1024 + 1, false), (20 * 1024 * 1024, false)] {
        let body = format!("[]{}", " ".repeat(bytes - 2));
        let server = Server::start(move |_| json(200, body.clone())).await;
        let character_id = CharacterId::parse(1).unwrap();
        let result =
            server.esi().killmail_list(ListOwner::Character(character_id), 1, &SecretString::from("token"), None).await;
        assert_eq!(result.is_ok(), fits, "{bytes} bytes");
        if let Ok(answered) = result {
            assert_eq!(answered.value, ListPage::Page { references: Vec::new(), pages: None, etag: None });
        }
    }
}

#[tokio::test]
async fn plain_http_leaves_this_machine_nowhere() {
    let plain = Url::parse("http://esi.example.org").unwrap();
    assert!(matches!(Esi::build(http(), plain), Err(BuildError::Address { .. })));
    let defaults = TimeLimits::default();
    assert_eq!((defaults.connect.as_secs(), defaults.exchange.as_secs()), (5, 30));
}
