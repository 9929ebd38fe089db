//! The life of one delivery: read it, run its handler, send on what follows, settle it.
//!
//! Follow-ups are confirmed before the message is acknowledged. What cannot be read is parked and does not come again; so
//! is, as a last net, what makes its handler panic: a worker's handler catches that and finishes the row. See
//! `follow_ups`, `park` and `settle` for these steps.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use domain::{Delivered, JobMessage, Lane, Outcome, Verdict};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lapin::message::Delivery;

use crate::error::Chain;
use crate::patience::Patience;
use crate::publisher::Publisher;
use crate::settle::{acknowledge, hand_back, hand_back_pause};
use crate::topology::Topology;

pub(crate) type Handler = Arc<dyn Fn(Delivered) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// All that is needed to get a delivery done.
pub(crate) struct Work {
    pub(crate) handler: Handler,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) topology: Topology,
    pub(crate) patience: Patience,
}

impl Work {
    pub(crate) async fn run(&self, lane: Lane, delivery: Delivery) {
        match JobMessage::decode(&delivery.data) {
            Ok(message) => self.job(lane, &delivery, message).await,
            Err(unreadable) => {
                // The log gets the kind of fault only; the parser's words can quote the message.
                tracing::warn!(
                    lane = lane.name(),
                    size_bytes = delivery.data.len(),
                    reason = %unreadable,
                    "an unreadable message is parked"
                );
                self.park(lane, &delivery, &Chain(&unreadable).to_string()).await;
            }
        }
    }

    async fn job(&self, lane: Lane, delivery: &Delivery, message: JobMessage) {
        let delivered = Delivered { message: message.clone(), redelivered: delivery.redelivered };
        // The call itself stands inside: a handler can panic before it returns its future.
        let handled = AssertUnwindSafe(async { (self.handler)(delivered).await }).catch_unwind().await;
        let Ok(Outcome { verdict, follow_ups }) = handled else {
            tracing::error!(job.id = %message.job_id, job.kind = message.job.kind(), "the handler panicked; its message is parked");
            return self.park(lane, delivery, "the handler panicked").await;
        };
        if !follow_ups.is_empty() {
            self.publish_follow_ups(&message, follow_ups, delivery).await;
        }
        match verdict {
            Verdict::HandBack { .. } => {
                self.patience.is_over_after(hand_back_pause(delivery)).await;
                hand_back(delivery).await;
            }
            Verdict::Done | Verdict::Skipped { .. } | Verdict::RetryAfter { .. } | Verdict::Parked { .. } => {
                acknowledge(delivery).await;
            }
        }
    }
}
