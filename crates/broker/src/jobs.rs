//! The jobs in flight. They outlive the session that brought them: one that loses its session finishes, its
//! acknowledgement goes nowhere, and its permit keeps the number of running jobs within bounds meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::Lane;
use lapin::message::Delivery;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::work::Work;

/// How a consumer that was told to stop came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All jobs in flight were finished and settled.
    Drained,
    /// These jobs were cut off. Their messages come again, their leases run out.
    GraceRanOut { jobs_left: usize },
}

/// Runs deliveries, so many at a time for each lane.
pub(crate) struct Jobs {
    work: Arc<Work>,
    permits: HashMap<Lane, Arc<Semaphore>>,
    running: TaskTracker,
    cut: CancellationToken,
}

impl Jobs {
    pub(crate) fn with(work: Work, lanes: &[Lane], concurrency_per_lane: usize) -> Self {
        let permits = lanes.iter().map(|lane| (*lane, Arc::new(Semaphore::new(concurrency_per_lane)))).collect();
        Self { work: Arc::new(work), permits, running: TaskTracker::new(), cut: CancellationToken::new() }
    }

    /// Waits until the lane may run one more job.
    pub(crate) async fn permit(&self, lane: Lane) -> OwnedSemaphorePermit {
        let permits = self.permits.get(&lane).expect("lanes are consumed as they are listed in `with`");
        permits.clone().acquire_owned().await.expect("these semaphores are never closed")
    }

    pub(crate) fn begin(&self, lane: Lane, permit: OwnedSemaphorePermit, delivery: Delivery) {
        let work = self.work.clone();
        let job = async move {
            work.run(lane, delivery).await;
            drop(permit);
        };
        self.running.spawn(self.cut.clone().run_until_cancelled_owned(job));
    }

    /// Jobs that are not settled yet, those of lost sessions among them.
    pub(crate) fn in_flight(&self) -> usize {
        self.running.len()
    }

    /// Waits for the jobs in flight, and cuts off what is left after `grace`.
    pub(crate) async fn finish(&self, grace: Duration) -> Ended {
        self.running.close();
        match timeout(grace, self.running.wait()).await {
            Ok(()) => Ended::Drained,
            Err(_) => {
                let jobs_left = self.in_flight();
                self.cut.cancel();
                Ended::GraceRanOut { jobs_left }
            }
        }
    }
}

impl Drop for Jobs {
    /// Whatever way the consumer ends, no job goes on behind its back.
    fn drop(&mut self) {
        self.cut.cancel();
    }
}
