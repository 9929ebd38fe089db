//! Setting a message aside for a person: its own bytes, with the reason beside them.

use domain::Lane;
use lapin::message::Delivery;
use uuid::Uuid;

use crate::error::Chain;
use crate::reconnect::Delays;
use crate::settle::{acknowledge, hand_back};
use crate::work::Work;

/// What is written beside the bytes.
pub(crate) const REASON_HEADER: &str = "x-killfleet-reason";
pub(crate) const QUEUE_HEADER: &str = "x-killfleet-queue";

/// The reason can quote the message, and headers have to fit in one frame of the protocol (128 KiB here).
const LONGEST_REASON_CHARACTERS: usize = 300;

impl Work {
    /// Publishes the bytes to the parked queue and acknowledges only when that is confirmed. Until then it tries again,
    /// ever more slowly; a stop gives the message back, a lost session has given it back already.
    pub(crate) async fn park(&self, lane: Lane, delivery: &Delivery, reason: &str) {
        let reason: String = reason.chars().take(LONGEST_REASON_CHARACTERS).collect();
        let queue = self.topology.lane_queue(lane);
        let headers = [(REASON_HEADER, reason.as_str()), (QUEUE_HEADER, queue.as_str())];
        let mut delays = Delays::from_the_start();
        // The same in every attempt: should two of them arrive, it can be seen that they are one.
        let message_id = Uuid::now_v7();
        loop {
            let attempt = tokio::select! {
                attempt = self.publisher.park(message_id, delivery.data.clone(), &headers) => attempt,
                () = self.patience.ran_out() => return hand_back(delivery).await,
            };
            let Err(error) = attempt else { return acknowledge(delivery).await };
            tracing::warn!(lane = lane.name(), error = %Chain(&error), "a message could not be parked yet");
            if !delivery.usable() {
                return;
            }
            if self.patience.is_over_after(delays.next_delay()).await {
                return hand_back(delivery).await;
            }
        }
    }
}
