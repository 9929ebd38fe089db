//! Stopping in two steps: the first SIGTERM, SIGINT or SIGHUP asks, the second one cuts.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::telemetry;

/// Says when the process shall stop taking work and finish what it has. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
}

impl Stop {
    /// Cancelled by the first SIGTERM, SIGINT or SIGHUP.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

/// The signals that people, service managers and terminals that close send to stop a process.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// None for who was started with `nohup`, and is to outlive its terminal.
    hang_up: Option<Signal>,
}

impl Signals {
    /// From here on the signals no longer end the process by themselves.
    pub(crate) fn install() -> io::Result<Self> {
        let hang_up = if is_hang_up_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, hang_up })
    }

    /// Cancels `stop` at the first signal and ends the process at the second.
    pub(crate) async fn watch(mut self, stop: Stop) {
        let first = self.next().await;
        tracing::info!(signal = first, "stopping: no new work is taken, a second signal ends the process at once");
        stop.token.cancel();
        let second = self.next().await;
        telemetry::last_words(&format!("{second} while stopping: the process ends at once, work in hand is cut"));
        // Rows in hand keep their lease and messages are not acknowledged: another worker takes both later.
        process::exit(1);
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = hung_up(&mut self.hang_up) => "SIGHUP",
        }
    }
}

async fn hung_up(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether SIGHUP, the lowest bit of the mask, was ignored when we were started. Where the system does not tell, it is
/// taken for ignored: then it does what it always did.
fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 == 1)
}
