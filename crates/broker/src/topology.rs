//! The one table of queues. Whoever publishes or consumes declares all of it first, so any process may come first.
//!
//! | queue | for | full at | what cannot be delivered |
//! |---|---|---|---|
//! | `<prefix>.v1.parked` | what could not be read, made a handler panic, or was delivered too often | never | stays |
//! | `<prefix>.v1.list` | `SyncList` | 100,000: further messages are refused | goes to `parked` |
//! | `<prefix>.v1.detail` | `FetchDetails` | the same | the same |
//! | `<prefix>.v1.refresh` | `RefreshToken`, `ExerciseToken`, `LookAtToken` | the same | the same |
//!
//! All are durable quorum queues on the default exchange. Arguments of a queue that exists cannot be changed: another
//! set of arguments needs another version in the name.

use domain::Lane;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection};

use crate::connection::{CALL_LIMIT, within};
use crate::error::BrokerError;
use crate::settings::QueuePrefix;

/// Deliveries after which the broker parks a message that never gets acknowledged. A worker that is killed takes all
/// that it had prefetched one step towards it, so it is well above the number of kills that one message can meet in
/// an ordinary day; the count of attempts that matters stands in the row. It must be positive: -1 means "at once" to
/// RabbitMQ 3.10 and "never" to 4.
const DELIVERY_LIMIT: i64 = 50;

/// The scheduler keeps a few thousand hints in a lane; this is the wall behind that, so that a broker never fills its
/// disk with hints.
const LANE_LENGTH_MAX: i64 = 100_000;

/// The names and arguments of our queues.
#[derive(Debug, Clone)]
pub struct Topology {
    prefix: QueuePrefix,
}

impl Topology {
    #[must_use]
    pub fn of(prefix: QueuePrefix) -> Self {
        Self { prefix }
    }

    /// The queue in which the jobs of a lane wait.
    #[must_use]
    pub fn lane_queue(&self, lane: Lane) -> String {
        format!("{}.v1.{}", self.prefix, lane.name())
    }

    /// The queue for messages that a person should look at.
    #[must_use]
    pub fn parked_queue(&self) -> String {
        format!("{}.v1.parked", self.prefix)
    }

    /// On a channel of its own: a refused declaration closes the channel, and nothing else shall die with it.
    pub(crate) async fn declare(&self, connection: &Connection) -> Result<(), BrokerError> {
        let channel = within("opening a channel", CALL_LIMIT, connection.create_channel()).await?;
        for (queue, arguments) in self.table() {
            let declare = channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments);
            within("declaring a queue", CALL_LIMIT, declare).await.map_err(|error| error.for_declared_queue(&queue))?;
        }
        within("closing a channel", CALL_LIMIT, channel.close(200, "declared".into())).await
    }

    /// Parked first: a message thrown out of a lane while its target is missing would be stuck.
    fn table(&self) -> Vec<(String, FieldTable)> {
        let mut table = vec![(self.parked_queue(), quorum())];
        table.extend(Lane::ALL.map(|lane| (self.lane_queue(lane), self.lane_arguments())));
        table
    }

    fn lane_arguments(&self) -> FieldTable {
        let mut arguments = quorum();
        let text = |value: &str| AMQPValue::LongString(value.into());
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(&self.parked_queue()));
        // Dead letters are kept until `parked` has taken them; this works only together with `reject-publish`.
        arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
        arguments.insert("x-overflow".into(), text("reject-publish"));
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(LANE_LENGTH_MAX));
        arguments
    }

    /// Messages that wait for a worker, without those that are delivered and not yet acknowledged. A passive
    /// declaration counts exactly; the broker's statistics lag by seconds. A queue that does not exist closes
    /// `channel`.
    pub(crate) async fn ready_messages(&self, channel: &Channel, lane: Lane) -> Result<u32, BrokerError> {
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
        let declare = channel.queue_declare(self.lane_queue(lane).into(), look, FieldTable::default());
        Ok(within("counting a queue", CALL_LIMIT, declare).await?.message_count())
    }
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments
}
