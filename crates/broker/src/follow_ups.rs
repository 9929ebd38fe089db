//! Sending on what follows from a job, before the job's own message is acknowledged.

use std::time::Duration;

use domain::{Job, JobMessage};
use lapin::message::Delivery;

use crate::error::Chain;
use crate::message::message_for;
use crate::reconnect::Delays;
use crate::work::Work;

/// How long follow-ups are tried again. Longer is of no use: their rows are hinted anew after five minutes.
const LIMIT: Duration = Duration::from_secs(60);

impl Work {
    /// Publishes the follow-ups of `parent` until all are confirmed, the session is dead, a minute is over, or a few
    /// seconds after the process was told to stop. Giving up loses nothing: the rows carry a mark that a hint is out,
    /// which goes stale after five minutes, and are hinted again. So the caller acknowledges in any case.
    pub(crate) async fn publish_follow_ups(&self, parent: &JobMessage, follow_ups: Vec<Job>, delivery: &Delivery) {
        let mut waiting: Vec<_> = follow_ups.into_iter().map(|job| message_for(job, parent.trace_id)).collect();
        let mut last_failure = None;
        let until_confirmed = async {
            let mut delays = Delays::from_the_start();
            loop {
                let published = self.publisher.publish(&waiting).await;
                waiting.retain(|message| !published.confirmed.contains(&message.job_id));
                last_failure = published.failure;
                if last_failure.is_none() || !delivery.usable() {
                    return;
                }
                tokio::time::sleep(delays.next_delay()).await;
            }
        };
        tokio::select! {
            () = until_confirmed => {}
            () = tokio::time::sleep(LIMIT) => {}
            () = self.patience.ran_out() => {}
        }
        if !waiting.is_empty() {
            tracing::warn!(
                job.id = %parent.job_id,
                follow_ups = waiting.len(),
                error = last_failure.as_ref().map(|failure| tracing::field::display(Chain(failure))),
                "follow-ups could not be published; their rows will be hinted again"
            );
        }
    }
}
