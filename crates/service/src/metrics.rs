//! The names of all metrics, in one place: dashboards and alerts are written against them.
//!
//! Labels hold words from a fixed list only (a kind of job, a verdict, a route), never an id, a name or a message.
//! Record with the macros of the crate `metrics`, for example
//! `metrics::counter!(service::metrics::JOBS, "kind" => job.kind(), "verdict" => verdict.name()).increment(1)`.

use std::sync::OnceLock;

use anyhow::Context;
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Counter: jobs that came to a verdict. Labels `kind` (`Job::kind`) and `verdict` (`Verdict::name`).
pub const JOBS: &str = "killfleet_jobs_total";
/// Histogram, in seconds: from taking a job to its verdict. Label `kind`.
pub const JOB_SECONDS: &str = "killfleet_job_seconds";
/// Gauge: jobs in hand now. Label `kind`.
pub const JOBS_RUNNING: &str = "killfleet_jobs_running";
/// Counter: handlers that panicked, each a mistake of ours. Their jobs come to a verdict all the same.
pub const PANICS: &str = "killfleet_panics_total";
/// Counter: requests to ESI. Labels `route` (never with ids in it) and `result`.
pub const ESI_REQUESTS: &str = "killfleet_esi_requests_total";
/// Gauge: what is left of a rate limit, as the newest answer says. Label `group` (`X-Ratelimit-Group`).
pub const ESI_TOKENS_REMAINING: &str = "killfleet_esi_tokens_remaining";
/// Counter: times that all calls to ESI began to wait for its status: counted once for the fleet. Label `reason`
/// (`outage`, an alarm, or `downtime`).
pub const ESI_PAUSES: &str = "killfleet_esi_pauses_total";
/// Counter: attempts to refresh a token. Label `result`.
pub const TOKEN_REFRESHES: &str = "killfleet_token_refreshes_total";
/// Counter: times that all refreshes began to pause: an alarm, counted once for the fleet. Label `reason`
/// (`mass_refusal` or `client_refused`).
pub const REFRESH_PAUSES: &str = "killfleet_refresh_pauses_total";
/// Counter: access tokens that sibling services have asked for over HTTP. Label `status` (of the answer).
pub const TOKENS_ASKED_FOR: &str = "killfleet_tokens_asked_for_total";
/// Counter: killmail bodies that were stored for the first time.
pub const KILLMAILS_STORED: &str = "killfleet_killmails_stored_total";
/// Counter: jobs that a tick of the scheduler has queued. Label `lane` (`Lane::name`).
pub const TICK_QUEUED: &str = "killfleet_tick_queued_total";
/// Counter: due characters that a tick could not queue. Label `reason` (`NoToken::name`, `sso_paused` or `esi_paused`).
pub const TICK_SKIPPED: &str = "killfleet_tick_skipped_total";

/// Upper bounds in seconds: from a detail job that finds everything stored, to a list of many pages behind a full bucket.
const JOB_SECONDS_BUCKETS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Installs the recorder for the whole process and describes every metric. What was recorded before is lost, so this
/// comes before the first job; [`health::listen`](crate::health::listen) does it. Later calls return the same handle.
///
/// Whoever installs it must call `run_upkeep` on the handle every few seconds: the samples of histograms pile up until
/// then.
///
/// # Errors
/// The process has another recorder already.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    static INSTALLED: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| install_recorder().map_err(|error| format!("{error:#}")));
    installed.clone().map_err(anyhow::Error::msg)
}

fn install_recorder() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(JOB_SECONDS.to_owned()), &JOB_SECONDS_BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("cannot install the metrics")?;
    describe_counter!(JOBS, "Jobs that came to a verdict.");
    describe_histogram!(JOB_SECONDS, "Seconds from taking a job to its verdict.");
    describe_gauge!(JOBS_RUNNING, "Jobs in hand now.");
    describe_counter!(PANICS, "Handlers that panicked.");
    describe_counter!(ESI_REQUESTS, "Requests to ESI.");
    describe_gauge!(ESI_TOKENS_REMAINING, "What is left of a rate limit of ESI, as the newest answer says.");
    describe_counter!(ESI_PAUSES, "Times that all calls to ESI began to wait for its status.");
    describe_counter!(TOKEN_REFRESHES, "Attempts to refresh a token.");
    describe_counter!(REFRESH_PAUSES, "Times that all refreshes began to pause.");
    describe_counter!(TOKENS_ASKED_FOR, "Access tokens asked for by sibling services.");
    describe_counter!(KILLMAILS_STORED, "Killmail bodies stored for the first time.");
    describe_counter!(TICK_QUEUED, "Jobs queued by ticks of the scheduler.");
    describe_counter!(TICK_SKIPPED, "Due characters that ticks of the scheduler could not queue.");
    Ok(handle)
}
