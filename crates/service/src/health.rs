//! What a process says of itself over HTTP: alive, ready, and its metrics.
//!
//! The rule: `/healthz` asks nothing of anybody, so that an outage of the database does not get processes restarted;
//! `/readyz` asks everything the work needs, and is no as soon as the process is stopping. [`listen`] opens the address.

mod listener;
mod serve;

use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use listener::{Listener, listen, listen_with};

/// Probes give up after a few seconds (Kubernetes: 1, Docker: as configured); a late answer helps nobody.
const READY_TIME_LIMIT: Duration = Duration::from_secs(3);

/// Whether one thing that the work needs is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Such as `database` or `broker`.
    pub name: &'static str,
    /// The error is one line for the operator and never holds a secret.
    pub result: Result<(), String>,
}

/// The body of `/readyz`.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Readiness {
    status: &'static str,
    checks: Vec<CheckLine>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
struct CheckLine {
    name: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Check> for CheckLine {
    fn from(check: Check) -> Self {
        Self { name: check.name, ok: check.result.is_ok(), reason: check.result.err() }
    }
}

/// The checks are asked even while stopping: what is broken then is worth knowing.
async fn readiness(checks: impl Future<Output = Vec<Check>>, stop: &CancellationToken) -> (StatusCode, Readiness) {
    let checks: Vec<CheckLine> = match timeout(READY_TIME_LIMIT, checks).await {
        Ok(checks) => checks.into_iter().map(CheckLine::from).collect(),
        Err(_) => {
            let reason = format!("the checks took longer than {} s", READY_TIME_LIMIT.as_secs());
            vec![CheckLine { name: "time", ok: false, reason: Some(reason) }]
        }
    };
    let (code, status) = if stop.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else if checks.iter().all(|check| check.ok) {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (code, Readiness { status, checks })
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn check(name: &'static str, result: Result<(), &str>) -> Check {
        Check { name, result: result.map_err(str::to_owned) }
    }

    #[tokio::test]
    async fn ready_means_every_check_and_not_stopping() {
        let good = vec![check("database", Ok(())), check("broker", Ok(()))];
        let bad = vec![check("database", Ok(())), check("broker", Err("connection refused"))];
        let (running, stopping) = (CancellationToken::new(), CancellationToken::new());
        stopping.cancel();
        for (checks, stop, code, status) in [
            (good.clone(), &running, 200, "ready"),
            (vec![], &running, 200, "ready"),
            (bad.clone(), &running, 503, "not ready"),
            (good, &stopping, 503, "stopping"),
            (bad, &stopping, 503, "stopping"),
        ] {
            let count = checks.len();
            let (answered, body) = readiness(ready(checks), stop).await;
            assert_eq!((answered.as_u16(), body.status, body.checks.len()), (code, status, count));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn checks_that_hang_are_an_answer_too() {
        let (code, body) = readiness(pending(), &CancellationToken::new()).await;
        assert_eq!((code.as_u16(), body.status), (503, "not ready"));
        assert_eq!(body.checks[0].reason.as_deref(), Some("the checks took longer than 3 s"));
    }
}
