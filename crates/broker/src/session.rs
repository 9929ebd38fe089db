//! One session: a connection, the queues declared, a consumer for every lane, until something breaks or it is told to
//! stop. A session is never mended; the caller builds another.

use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::{Channel, Connection};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::connection::{close, connect};
use crate::consumer::{ConsumerSettings, Until};
use crate::drain::until_empty;
use crate::error::BrokerError;
use crate::jobs::Jobs;
use crate::lane::LaneConsumer;
use crate::topology::Topology;

/// How often to look whether the session lives. Most failures show at once in the stream of deliveries; this finds
/// them while all lanes wait for a job to end.
const HEALTH_CHECK: Duration = Duration::from_secs(1);

pub(crate) struct Session {
    connection: Connection,
    topology: Topology,
    lanes: Vec<LaneConsumer>,
}

impl Session {
    pub(crate) async fn start(settings: &ConsumerSettings, address: &Address) -> Result<Self, BrokerError> {
        let connection = connect(address, &settings.broker.connection_name).await?;
        let topology = Topology::of(settings.broker.queue_prefix.clone());
        topology.declare(&connection).await?;
        let mut lanes = Vec::with_capacity(settings.lanes.len());
        for lane in &settings.lanes {
            lanes.push(LaneConsumer::start(&connection, &topology, *lane, settings.concurrency_per_lane).await?);
        }
        Ok(Self { connection, topology, lanes })
    }

    /// Until `stop`, or until there is nothing left to do if that is what `settings` say. Then the lanes take nothing
    /// more; jobs may still be running. Says how many messages were given back.
    pub(crate) async fn run(
        &mut self,
        settings: &ConsumerSettings,
        jobs: &Jobs,
        stop: &CancellationToken,
    ) -> Result<usize, BrokerError> {
        let stop_lanes = stop.child_token();
        let Self { connection, topology, lanes } = self;
        let channels: Vec<Channel> = lanes.iter().map(LaneConsumer::channel).collect();
        let empty = async {
            match settings.until {
                Until::Stopped => {}
                Until::QueuesEmpty => {
                    until_empty(connection, topology, &settings.lanes, jobs).await?;
                    stop_lanes.cancel();
                }
            }
            std::future::pending::<Result<(), BrokerError>>().await
        };
        let all_lanes = try_join_all(lanes.iter_mut().map(|lane| lane.run(jobs, &stop_lanes)));
        tokio::select! {
            handed_back = all_lanes => Ok(handed_back?.into_iter().sum()),
            error = lost(connection, &channels) => Err(error),
            Err(error) = empty => Err(error),
        }
    }

    pub(crate) async fn close(self) {
        close(&self.connection).await;
    }
}

/// Ends when the connection or one of the channels has died.
async fn lost(connection: &Connection, channels: &[Channel]) -> BrokerError {
    let mut check = interval(HEALTH_CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        check.tick().await;
        if !connection.status().connected() || !channels.iter().all(|channel| channel.status().connected()) {
            return BrokerError::ConnectionLost;
        }
    }
}
