//! One lane within one session: a channel and a consumer of its own, so that a backlog in one lane cannot hold up
//! another.

use domain::Lane;
use futures_util::StreamExt as _;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::connection::{CALL_LIMIT, GOODBYE_LIMIT, within};
use crate::error::{BrokerError, Chain};
use crate::jobs::Jobs;
use crate::settle::hand_back;
use crate::topology::Topology;

/// What the broker sends ahead for every running job. A prefetch of 1 would cost a factor of ten on quorum queues.
const PREFETCH_PER_JOB: usize = 2;

pub(crate) struct LaneConsumer {
    lane: Lane,
    queue: String,
    channel: Channel,
    deliveries: Consumer,
}

impl LaneConsumer {
    pub(crate) async fn start(
        connection: &Connection,
        topology: &Topology,
        lane: Lane,
        concurrency: usize,
    ) -> Result<Self, BrokerError> {
        let queue = topology.lane_queue(lane);
        let channel = within("opening a channel", CALL_LIMIT, connection.create_channel()).await?;
        // Before consuming: lapin's buffer has no limit of its own.
        let prefetch = u16::try_from(concurrency * PREFETCH_PER_JOB).unwrap_or(u16::MAX);
        within("setting the prefetch", CALL_LIMIT, channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        let consume = channel.basic_consume(
            queue.as_str().into(),
            lane.name().into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let deliveries = within("consuming", CALL_LIMIT, consume).await?;
        Ok(Self { lane, queue, channel, deliveries })
    }

    /// Another handle on the channel, to see whether it lives.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Begins jobs until `stop`; then gives back what is not begun, and says how many messages that were. Any other
    /// end of the deliveries is an error: the session is over.
    pub(crate) async fn run(&mut self, jobs: &Jobs, stop: &CancellationToken) -> Result<usize, BrokerError> {
        loop {
            let permit = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                permit = jobs.permit(self.lane) => permit,
            };
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                next = self.deliveries.next() => next,
            };
            match next {
                // Nothing is awaited between taking a delivery and counting it as a job: a drain relies on it.
                Some(Ok(delivery)) if delivery.usable() => jobs.begin(self.lane, permit, delivery),
                // A delivery of a channel that has died since: dropped, the broker sends it again elsewhere.
                Some(Ok(_)) => {}
                Some(Err(source)) => return Err(BrokerError::from_lapin("receiving", source)),
                None => return Err(BrokerError::ConsumerCancelled { queue: self.queue.clone() }),
            }
        }
        Ok(self.stop().await)
    }

    /// Cancelling returns nothing to the queue by itself: what was sent ahead still comes out of the stream, and then
    /// the stream ends.
    async fn stop(&mut self) -> usize {
        let cancel = self.channel.basic_cancel(self.deliveries.tag(), BasicCancelOptions::default());
        if let Err(error) = within("cancelling the consumer", GOODBYE_LIMIT, cancel).await {
            tracing::debug!(lane = self.lane.name(), error = %Chain(&error), "the broker takes the messages back by itself");
            return 0;
        }
        let mut handed_back = 0;
        let all = async {
            while let Some(Ok(delivery)) = self.deliveries.next().await {
                hand_back(&delivery).await;
                handed_back += 1;
            }
        };
        // What is left after the limit goes back when the connection closes.
        let _ = timeout(GOODBYE_LIMIT, all).await;
        handed_back
    }
}
