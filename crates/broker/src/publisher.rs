//! Publishing, on a connection of its own: when the broker raises an alarm it stops reading from connections that
//! publish, and the acknowledgements of the consumer must not stand in that line.
//!
//! Published means confirmed. A round has the channel to itself; after any failure the connection is thrown away and
//! the next round builds another, declaring the queues again.

use std::collections::HashSet;
use std::time::Duration;

use domain::{JobMessage, Lane};
use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;
use uuid::Uuid;

use crate::address::Address;
use crate::confirms::{Outgoing, publish_round};
use crate::connection::{CALL_LIMIT, close, connect, within};
use crate::error::BrokerError;
use crate::settings::BrokerSettings;
use crate::topology::Topology;

/// How long one round waits for those before it. Only a broker that hangs makes it this long.
const TURN_LIMIT: Duration = Duration::from_secs(15);

/// What became of one attempt to publish.
#[derive(Debug)]
pub struct Published {
    /// The `job_id`s that the broker holds now. Any other message may or may not have arrived.
    pub confirmed: HashSet<Uuid>,
    /// Why some are not confirmed. `None` means that all are.
    pub failure: Option<BrokerError>,
}

/// Publishes messages and counts queues. Share one between all tasks of a process.
pub struct Publisher {
    address: Address,
    connection_name: String,
    topology: Topology,
    open: Mutex<Option<Open>>,
}

struct Open {
    connection: Connection,
    channel: Channel,
}

impl Publisher {
    /// Reads the settings; the connection is made when it is first needed.
    ///
    /// # Errors
    /// [`BrokerError::InvalidUrl`].
    pub fn open(settings: BrokerSettings) -> Result<Self, BrokerError> {
        Ok(Self {
            address: Address::parse(&settings.amqp_url)?,
            connection_name: format!("{} publisher", settings.connection_name),
            topology: Topology::of(settings.queue_prefix),
            open: Mutex::new(None),
        })
    }

    /// One attempt for each message, each to the queue of its lane, with at most one attempt to connect. It ends
    /// after about half a minute whatever the broker does. Repeating is the caller's decision.
    pub async fn publish(&self, messages: &[JobMessage]) -> Published {
        let to_lane = |message: &JobMessage| Outgoing::job(message, self.topology.lane_queue(message.job.lane()));
        self.send(&messages.iter().map(to_lane).collect::<Vec<_>>()).await
    }

    /// Puts bytes that no worker can use where a person finds them.
    pub(crate) async fn park(
        &self,
        message_id: Uuid,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> Result<(), BrokerError> {
        let outgoing = Outgoing::bytes(message_id, body, self.topology.parked_queue(), headers);
        self.send(&[outgoing]).await.failure.map_or(Ok(()), Err)
    }

    /// Messages of a lane that wait for a worker, without those that a worker holds.
    ///
    /// # Errors
    /// Any [`BrokerError`] of connecting; a queue that was deleted since is declared again by the next call.
    pub async fn ready_messages(&self, lane: Lane) -> Result<u32, BrokerError> {
        let mut turn = self.turn().await?;
        let open = self.ready(&mut turn).await?;
        let channel = within("opening a channel", CALL_LIMIT, open.connection.create_channel()).await?;
        let ready = self.topology.ready_messages(&channel, lane).await?;
        within("closing a channel", CALL_LIMIT, channel.close(200, "counted".into())).await?;
        *turn = Some(open);
        Ok(ready)
    }

    /// Closes the connection in order. Publishing afterwards opens another.
    pub async fn close(&self) {
        if let Ok(mut turn) = self.turn().await
            && let Some(open) = turn.take()
        {
            close(&open.connection).await;
        }
    }

    async fn send(&self, outgoing: &[Outgoing]) -> Published {
        let nothing = |failure| Published { confirmed: HashSet::new(), failure };
        if outgoing.is_empty() {
            return nothing(None);
        }
        let mut turn = match self.turn().await {
            Ok(turn) => turn,
            Err(error) => return nothing(Some(error)),
        };
        let open = match self.ready(&mut turn).await {
            Ok(open) => open,
            Err(error) => return nothing(Some(error)),
        };
        let published = publish_round(&open.channel, outgoing).await;
        if published.failure.is_none() {
            *turn = Some(open);
        }
        published
    }

    async fn turn(&self) -> Result<MutexGuard<'_, Option<Open>>, BrokerError> {
        let limit = TURN_LIMIT;
        timeout(limit, self.open.lock())
            .await
            .map_err(|_| BrokerError::TimedOut { doing: "waiting for the publisher", limit })
    }

    /// Takes the connection out. The caller puts it back when all went well; so a caller that fails, or is dropped
    /// while confirms are on their way, leaves none behind whose answers the next round could mistake for its own.
    async fn ready(&self, turn: &mut Option<Open>) -> Result<Open, BrokerError> {
        match turn.take() {
            Some(open) if open.connection.status().connected() && open.channel.status().connected() => Ok(open),
            _ => self.connect().await,
        }
    }

    async fn connect(&self) -> Result<Open, BrokerError> {
        let connection = connect(&self.address, &self.connection_name).await?;
        self.topology.declare(&connection).await?;
        let channel = within("opening a channel", CALL_LIMIT, connection.create_channel()).await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        within("asking for confirms", CALL_LIMIT, confirms).await?;
        Ok(Open { connection, channel })
    }
}
