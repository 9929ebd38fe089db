//! The model as the faces share it.
//!
//! The rule: the lock is held for one step of the model and never across a wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::model::fault_board::FaultId;
use crate::model::{Model, Route};

/// The model behind its lock.
#[derive(Debug)]
pub struct Simulator {
    model: Mutex<Model>,
    faults_changed: watch::Sender<()>,
    prints_exchanges: bool,
}

/// Counts a call as in flight until it is dropped, also when the caller goes away.
#[derive(Debug)]
pub struct CallInFlight<'simulator>(&'simulator Simulator, Route);

impl Simulator {
    /// Puts a model behind a lock. With `prints_exchanges` every exchange is a line on stderr, without any token.
    #[must_use]
    pub fn of(model: Model, prints_exchanges: bool) -> Self {
        Self { model: Mutex::new(model), faults_changed: watch::Sender::new(()), prints_exchanges }
    }

    /// The model, for one step.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        // A test that panicked in one request must not turn all later ones into panics; the counters stay readable.
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether exchanges are printed.
    #[must_use]
    pub fn prints_exchanges(&self) -> bool {
        self.prints_exchanges
    }

    /// Lets held requests look again.
    pub fn tell_that_faults_changed(&self) {
        self.faults_changed.send_replace(());
    }

    /// Waits until a fault has left the list.
    pub async fn wait_until_removed(&self, fault_id: FaultId) {
        // Subscribed before looking, so that a removal in between is not missed.
        let mut changed = self.faults_changed.subscribe();
        loop {
            let is_held = self.model().holds(fault_id);
            // The sender lives in `self`, so the channel stays open as long as anyone waits here.
            if !is_held || changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Must be called when a call has arrived; the call is over when the value is dropped.
    #[must_use]
    pub fn in_flight(&self, route: Route) -> CallInFlight<'_> {
        CallInFlight(self, route)
    }
}

impl Drop for CallInFlight<'_> {
    fn drop(&mut self) {
        self.0.model().call_ended(self.1);
    }
}
