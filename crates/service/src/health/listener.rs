//! The three routes on their address, and those that a process has beside them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::serve::{LIMITS, serve};
use super::{Check, readiness};
use crate::metrics;
use crate::settings::{SettingError, names};

/// The version of the text form that `render` writes.
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// An open address. It answers until it is dropped, also while the process drains.
#[derive(Debug)]
#[must_use = "dropping it closes the address"]
pub struct Listener {
    local_address: SocketAddr,
    /// Aborted when dropped.
    _tasks: JoinSet<()>,
}

impl Listener {
    /// Where it listens; the port that was found if the setting said port 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_address
    }
}

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

/// Serves `/healthz` (200), `/readyz` (200, or 503 if a check of `ready` fails or `stop` is cancelled) and `/metrics`
/// (Prometheus text) on `address`. Call it before the first metric is recorded: it installs the recorder.
///
/// # Errors
/// A [`SettingError`] for `KILLFLEET_LISTEN` if the address cannot be had; anything else only if the process has a
/// recorder of metrics that is not ours.
pub async fn listen<R, Fut>(address: SocketAddr, ready: R, stop: CancellationToken) -> anyhow::Result<Listener>
where
    R: Fn() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Vec<Check>> + Send + 'static,
{
    listen_with(address, ready, Router::new(), stop).await
}

/// As [`listen`], with routes of the process's own beside the three.
///
/// # Errors
/// As [`listen`].
///
/// # Panics
/// When one of the routes is one of the three.
pub async fn listen_with<R, Fut>(
    address: SocketAddr,
    ready: R,
    routes: Router,
    stop: CancellationToken,
) -> anyhow::Result<Listener>
where
    R: Fn() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Vec<Check>> + Send + 'static,
{
    let refused = |error: io::Error| {
        let problem = format!("is {address}, which cannot be listened on ({error})");
        SettingError::malformed(names::LISTEN, problem, "give an address that is free on this machine, or unset it")
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let local_address = listener.local_addr().map_err(refused)?;
    let metrics = metrics::install()?;
    let router = router(ready, stop, metrics.clone()).merge(routes);
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, router, LIMITS));
    tasks.spawn(keep_up(metrics));
    Ok(Listener { local_address, _tasks: tasks })
}

fn router<R, Fut>(ready: R, stop: CancellationToken, metrics: PrometheusHandle) -> Router
where
    R: Fn() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Vec<Check>> + Send + 'static,
{
    let answer_ready = move || {
        let (checks, stop) = (ready(), stop.clone());
        async move {
            let (code, body) = readiness(checks, &stop).await;
            (code, Json(body))
        }
    };
    let answer_metrics = move || async move { ([(CONTENT_TYPE, METRICS_CONTENT_TYPE)], metrics.render()) };
    Router::new()
        .route("/healthz", get(|| async { Json(Alive { status: "alive" }) }))
        .route("/readyz", get(answer_ready))
        .route("/metrics", get(answer_metrics))
}

async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = interval(UPKEEP_INTERVAL);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}
