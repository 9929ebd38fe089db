//! What the consumer tells the rest of its process, for readiness and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether jobs are coming in. Clones look at the same consumer.
#[derive(Debug, Clone, Default)]
pub struct ConsumerStatus(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    consuming: AtomicBool,
    session_restarts: AtomicU64,
}

impl ConsumerStatus {
    /// Connected, and the consumers of all lanes are set up.
    #[must_use]
    pub fn is_consuming(&self) -> bool {
        self.0.consuming.load(Ordering::Relaxed)
    }

    /// How often a session was lost and had to be built again, since the start.
    #[must_use]
    pub fn session_restarts(&self) -> u64 {
        self.0.session_restarts.load(Ordering::Relaxed)
    }

    pub(crate) fn set_consuming(&self, consuming: bool) {
        self.0.consuming.store(consuming, Ordering::Relaxed);
    }

    pub(crate) fn count_lost_session(&self) {
        self.0.session_restarts.fetch_add(1, Ordering::Relaxed);
    }
}
