//! Waiting that knows when the process is to stop.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long something that is not confirmed is tried once the process is to stop.
const LIMIT_IN_A_STOP: Duration = Duration::from_secs(5);

/// Asked by everything that waits between a delivery and its acknowledgement.
#[derive(Clone)]
pub(crate) struct Patience(pub(crate) CancellationToken);

impl Patience {
    /// Waits. True if the process is to stop, then at once.
    pub(crate) async fn is_over_after(&self, delay: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.0.cancelled() => true,
            () = tokio::time::sleep(delay) => false,
        }
    }

    /// Ends a few seconds after the process was told to stop: a broker that hangs must not use up the grace time.
    pub(crate) async fn ran_out(&self) {
        self.0.cancelled().await;
        tokio::time::sleep(LIMIT_IN_A_STOP).await;
    }
}
