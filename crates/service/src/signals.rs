//! Stopping in two steps: the first SIGTERM or SIGINT asks, the second one cuts.

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
    /// Cancelled by the first SIGTERM or SIGINT.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

/// The two signals that people and service managers send to stop a process.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on the signals no longer end the process by themselves.
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
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
        }
    }
}
