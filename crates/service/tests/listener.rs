//! The listener over real HTTP, as a probe and a Prometheus would meet it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use service::health::{self, Check, Listener, listen};
use service::metrics;
use service::settings::SettingError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Status code, head and body of one answer.
async fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, head.to_lowercase(), body.to_owned())
}

async fn get_json(address: SocketAddr, path: &str) -> (u16, Value) {
    let (code, _, body) = get(address, path).await;
    (code, serde_json::from_str(&body).unwrap())
}

async fn listen_with(broker_is_up: Arc<AtomicBool>, stop: CancellationToken) -> Listener {
    let ready = move || {
        let result = if broker_is_up.load(Ordering::Relaxed) { Ok(()) } else { Err("connection refused".to_owned()) };
        async { vec![Check { name: "database", result: Ok(()) }, Check { name: "broker", result }] }
    };
    listen(ANY_PORT, ready, stop).await.unwrap()
}

#[tokio::test]
async fn alive_is_not_ready() {
    let (broker_is_up, stop) = (Arc::new(AtomicBool::new(true)), CancellationToken::new());
    let listener = listen_with(broker_is_up.clone(), stop.clone()).await;
    let address = listener.local_addr();

    let all_good = json!([{"name": "database", "ok": true}, {"name": "broker", "ok": true}]);
    assert_eq!(get_json(address, "/healthz").await, (200, json!({"status": "alive"})));
    assert_eq!(get_json(address, "/readyz").await, (200, json!({"status": "ready", "checks": all_good})));

    broker_is_up.store(false, Ordering::Relaxed);
    let one_bad =
        json!([{"name": "database", "ok": true}, {"name": "broker", "ok": false, "reason": "connection refused"}]);
    assert_eq!(get_json(address, "/healthz").await, (200, json!({"status": "alive"})));
    assert_eq!(get_json(address, "/readyz").await, (503, json!({"status": "not ready", "checks": one_bad})));

    broker_is_up.store(true, Ordering::Relaxed);
    stop.cancel();
    assert_eq!(get_json(address, "/healthz").await, (200, json!({"status": "alive"})));
    assert_eq!(get_json(address, "/readyz").await, (503, json!({"status": "stopping", "checks": all_good})));

    assert_eq!(get(address, "/elsewhere").await.0, 404);
    drop(listener);
    // The port is closed as soon as the aborted task has been dropped by the runtime.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn routes_of_the_process_are_served_beside_ours() {
    let own = axum::Router::new().route("/own", axum::routing::get(|| async { "its own" }));
    let listener = health::listen_with(ANY_PORT, || async { vec![] }, own, CancellationToken::new()).await.unwrap();
    let (code, _, body) = get(listener.local_addr(), "/own").await;
    assert_eq!((code, body.as_str()), (200, "its own"));
    assert_eq!(get(listener.local_addr(), "/healthz").await.0, 200);
    assert_eq!(get(listener.local_addr(), "/elsewhere").await.0, 404);
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let listener = listen_with(Arc::new(AtomicBool::new(true)), CancellationToken::new()).await;
    ::metrics::counter!(metrics::JOBS, "kind" => "sync_list", "verdict" => "done").increment(2);
    ::metrics::histogram!(metrics::JOB_SECONDS, "kind" => "sync_list").record(0.3);
    ::metrics::gauge!(metrics::JOBS_RUNNING, "kind" => "sync_list").set(1.0);
    let (code, head, body) = get(listener.local_addr(), "/metrics").await;
    assert_eq!(code, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    for line in [
        "# HELP killfleet_jobs_total Jobs that came to a verdict.",
        "# TYPE killfleet_jobs_total counter",
        r#"killfleet_jobs_total{kind="sync_list",verdict="done"} 2"#,
        r#"killfleet_job_seconds_bucket{kind="sync_list",le="0.25"} 0"#,
        r#"killfleet_job_seconds_bucket{kind="sync_list",le="0.5"} 1"#,
        r#"killfleet_jobs_running{kind="sync_list"} 1"#,
    ] {
        assert!(body.lines().any(|found| found == line), "{line} in\n{body}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_a_mistake_of_configuration() {
    let listener = listen_with(Arc::new(AtomicBool::new(true)), CancellationToken::new()).await;
    let address = listener.local_addr();
    let error = listen(address, || async { vec![] }, CancellationToken::new()).await.unwrap_err();
    let error = error.downcast_ref::<SettingError>().unwrap();
    assert_eq!(error.variable, "KILLFLEET_LISTEN");
    let text = error.to_string();
    assert!(text.starts_with(&format!("KILLFLEET_LISTEN is {address}, which cannot be listened on (")), "{text}");
}
