//! One round of publishing on a channel that nobody else uses: write, wait for the confirms, say what was taken.
//!
//! The channel has to be ours alone, because of how lapin reports a message that has no queue: it hands the oldest
//! returned message to whichever confirm completes next. So which message came back is read from its `message_id`,
//! never from the confirm that carried it, and the returned and the confirmed of one window are compared at its end.

use std::collections::HashSet;
use std::time::Duration;

use domain::JobMessage;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::connection::{CALL_LIMIT, within};
use crate::error::BrokerError;
use crate::publisher::Published;

/// Messages written before their confirms are awaited. Measured: more brings no more throughput.
const WINDOW: usize = 256;

/// For all confirms of one window. A broker with a memory or disk alarm gives none at all.
const CONFIRM_LIMIT: Duration = Duration::from_secs(10);

const PERSISTENT: u8 = 2;

/// A message on its way out, with fresh properties: headers of an older life are never copied.
pub(crate) struct Outgoing {
    pub(crate) message_id: Uuid,
    queue: String,
    body: Vec<u8>,
    properties: BasicProperties,
}

impl Outgoing {
    pub(crate) fn job(message: &JobMessage, queue: String) -> Self {
        let mut properties = properties(message.job_id)
            .with_content_type("application/json".into())
            .with_type(message.job.kind().into());
        if let Ok(seconds) = u64::try_from(message.enqueued_at.timestamp()) {
            properties = properties.with_timestamp(seconds);
        }
        Self { message_id: message.job_id, queue, body: message.encode(), properties }
    }

    /// Bytes as they came, with text headers that say what they are. Headers have to fit in one frame.
    pub(crate) fn bytes(message_id: Uuid, body: Vec<u8>, queue: String, headers: &[(&str, &str)]) -> Self {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), AMQPValue::LongString((*value).into()));
        }
        Self { message_id, queue, body, properties: properties(message_id).with_headers(table) }
    }
}

fn properties(message_id: Uuid) -> BasicProperties {
    BasicProperties::default().with_delivery_mode(PERSISTENT).with_message_id(message_id.to_string().into())
}

/// Publishes all of `outgoing` unless the way breaks. What is not in `confirmed` may or may not have arrived.
pub(crate) async fn publish_round(channel: &Channel, outgoing: &[Outgoing]) -> Published {
    let mut round = Round::default();
    for window in outgoing.chunks(WINDOW) {
        round.window(channel, window).await;
        if round.broken.is_some() {
            break;
        }
    }
    let Round { confirmed, broken, returned, refused } = round;
    let failure = match (broken, returned, refused) {
        (Some(broken), ..) => Some(broken),
        (None, 1.., _) => Some(BrokerError::NotRouted { messages: returned }),
        (None, 0, 1..) => Some(BrokerError::NotTaken { messages: refused }),
        (None, 0, 0) => None,
    };
    Published { confirmed, failure }
}

#[derive(Default)]
struct Round {
    confirmed: HashSet<Uuid>,
    broken: Option<BrokerError>,
    returned: usize,
    refused: usize,
}

impl Round {
    async fn window(&mut self, channel: &Channel, window: &[Outgoing]) {
        let mut awaited = Vec::with_capacity(window.len());
        for outgoing in window {
            match within("publishing", CALL_LIMIT, write(channel, outgoing)).await {
                Ok(confirm) => awaited.push((outgoing.message_id, confirm)),
                Err(error) => {
                    self.broken = Some(error);
                    break;
                }
            }
        }
        let deadline = Instant::now() + CONFIRM_LIMIT;
        let mut came_back = HashSet::new();
        for (message_id, confirm) in awaited {
            // After the deadline this still takes the confirms that are already there, and waits for none.
            match timeout_at(deadline, confirm).await {
                Ok(Ok(Confirmation::Ack(carried))) => {
                    self.confirmed.insert(message_id);
                    came_back.extend(carried.and_then(|message| id_of(&message.properties)));
                }
                Ok(Ok(Confirmation::Nack(carried))) => {
                    self.refused += 1;
                    came_back.extend(carried.and_then(|message| id_of(&message.properties)));
                }
                Ok(Ok(Confirmation::NotRequested)) => {
                    self.broken.get_or_insert(BrokerError::ConnectionLost);
                }
                Ok(Err(source)) => {
                    self.broken.get_or_insert(BrokerError::from_lapin("publishing", source));
                }
                Err(_) => {
                    self.broken.get_or_insert(BrokerError::TimedOut { doing: "confirming", limit: CONFIRM_LIMIT });
                }
            }
        }
        self.returned += came_back.len();
        self.confirmed.retain(|message_id| !came_back.contains(message_id));
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that publishes: the confirm is awaited above")]
async fn write(channel: &Channel, outgoing: &Outgoing) -> lapin::Result<PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let queue = outgoing.queue.as_str().into();
    channel.basic_publish("".into(), queue, options, &outgoing.body, outgoing.properties.clone()).await
}

fn id_of(properties: &BasicProperties) -> Option<Uuid> {
    properties.message_id().as_ref().and_then(|id| Uuid::parse_str(id.as_str()).ok())
}
