//! The parked queue, for a person to look into: its messages are held without being acknowledged, and go back when the
//! look is over, however it ends.
//!
//! Brokers from RabbitMQ 4.0 on throw a message away that was delivered twenty times, and each look is a delivery. So one
//! that has been looked at often is put into the queue anew, and confirmed, before the old one is acknowledged.

use domain::JobMessage;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use lapin::types::AMQPValue;
use lapin::{Channel, Connection};
use uuid::Uuid;

use crate::address::Address;
use crate::connection::{CALL_LIMIT, close, connect, within};
use crate::error::{BrokerError, Chain};
use crate::park::{QUEUE_HEADER, REASON_HEADER};
use crate::publisher::Publisher;
use crate::settings::BrokerSettings;
use crate::settle::earlier_deliveries;
use crate::topology::Topology;

const RENEWED_AFTER: i64 = 8;

/// Of a message that cannot be read, so much is kept to be shown.
const SHOWN_BYTES: usize = 500;

/// A message that was set aside.
#[derive(Debug, Clone)]
pub struct ParkedMessage {
    /// Its AMQP `message-id`. It stays the same until the message is removed.
    pub message_id: Uuid,
    pub reason: String,
    /// The queue that it comes from, if that is known.
    pub queue: Option<String>,
    pub size_bytes: usize,
    /// How it begins.
    pub shown: String,
    /// The job that it asks for, or why it cannot be read.
    pub job: Result<JobMessage, String>,
}

/// Messages of the parked queue, which nobody else sees until this is given back or gone.
pub struct ParkedQueue {
    connection: Connection,
    /// It closes with its last handle, and then all that is held goes back.
    channel: Channel,
    /// Each without its bytes.
    held: Vec<(Delivery, ParkedMessage)>,
    left: u32,
}

impl ParkedQueue {
    /// Takes up to so many messages, those in front first. What is kept of each is small, however long it is.
    ///
    /// # Errors
    /// Any [`BrokerError`] of connecting and asking: then all that was held goes back by itself.
    pub async fn hold(settings: BrokerSettings, messages_max: usize) -> Result<Self, BrokerError> {
        let address = Address::parse(&settings.amqp_url)?;
        let topology = Topology::of(settings.queue_prefix.clone());
        let connection = connect(&address, &settings.connection_name).await?;
        topology.declare(&connection).await?;
        let channel = within("opening a channel", CALL_LIMIT, connection.create_channel()).await?;
        let publisher = Publisher::open(settings)?;
        let mut queue = Self { connection, channel, held: Vec::new(), left: 0 };
        let taken = queue.take(&topology, &publisher, messages_max).await;
        publisher.close().await;
        taken.map(|()| queue)
    }

    async fn take(
        &mut self,
        topology: &Topology,
        publisher: &Publisher,
        messages_max: usize,
    ) -> Result<(), BrokerError> {
        let parked_queue = topology.parked_queue();
        while self.held.len() < messages_max {
            let get = self.channel.basic_get(parked_queue.as_str().into(), BasicGetOptions { no_ack: false });
            let Some(got) = within("looking into a queue", CALL_LIMIT, get).await? else {
                self.left = 0;
                return Ok(());
            };
            self.left = got.message_count;
            let mut delivery = got.delivery;
            match message_id(&delivery) {
                Some(message_id) if earlier_deliveries(&delivery) < RENEWED_AFTER => {
                    let message = described(message_id, &delivery);
                    delivery.data = Vec::new();
                    self.held.push((delivery, message));
                }
                known => {
                    // It comes again, behind all others.
                    let message_id = known.unwrap_or_else(Uuid::now_v7);
                    renew(publisher, message_id, delivery).await?;
                }
            }
        }
        Ok(())
    }

    /// Those that are held, in their order.
    pub fn messages(&self) -> impl Iterator<Item = &ParkedMessage> {
        self.held.iter().map(|(_, message)| message)
    }

    /// How many stand behind those that are held.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.left
    }

    /// Throws this message away. False if it is not among those that are held.
    ///
    /// # Errors
    /// Any [`BrokerError`]: then it may come back.
    pub async fn remove(&mut self, message_id: Uuid) -> Result<bool, BrokerError> {
        let Some(index) = self.held.iter().position(|(_, message)| message.message_id == message_id) else {
            return Ok(false);
        };
        let (delivery, _) = self.held.remove(index);
        acknowledge(&delivery).await?;
        Ok(true)
    }

    /// What is held goes back into the queue.
    pub async fn give_back(self) {
        close(&self.connection).await;
    }
}

async fn acknowledge(delivery: &Delivery) -> Result<(), BrokerError> {
    let is_ours = within("removing a message", CALL_LIMIT, delivery.ack(BasicAckOptions { multiple: false })).await?;
    if is_ours { Ok(()) } else { Err(BrokerError::ConnectionLost) }
}

async fn renew(publisher: &Publisher, message_id: Uuid, mut delivery: Delivery) -> Result<(), BrokerError> {
    let (reason, queue) = (reason(&delivery), origin(&delivery).unwrap_or_default());
    let headers = [(REASON_HEADER, reason.as_str()), (QUEUE_HEADER, queue.as_str())];
    publisher.park(message_id, std::mem::take(&mut delivery.data), &headers).await?;
    acknowledge(&delivery).await
}

fn described(message_id: Uuid, delivery: &Delivery) -> ParkedMessage {
    let beginning = &delivery.data[..delivery.data.len().min(SHOWN_BYTES)];
    ParkedMessage {
        message_id,
        reason: reason(delivery),
        queue: origin(delivery).filter(|queue| !queue.is_empty()),
        size_bytes: delivery.data.len(),
        shown: String::from_utf8_lossy(beginning).into_owned(),
        job: JobMessage::decode(&delivery.data).map_err(|unreadable| Chain(&unreadable).to_string()),
    }
}

fn message_id(delivery: &Delivery) -> Option<Uuid> {
    Uuid::parse_str(delivery.properties.message_id().as_ref()?.as_str()).ok()
}

/// Ours, or the broker's when it has thrown the message out of its queue.
fn reason(delivery: &Delivery) -> String {
    header(delivery, REASON_HEADER).unwrap_or_else(|| match header(delivery, "x-first-death-reason").as_deref() {
        Some("delivery_limit") => "delivered too often".to_owned(),
        Some(other) => format!("thrown out by the broker: {other}"),
        None => "nobody says why".to_owned(),
    })
}

fn origin(delivery: &Delivery) -> Option<String> {
    header(delivery, QUEUE_HEADER).or_else(|| header(delivery, "x-first-death-queue"))
}

fn header(delivery: &Delivery, name: &str) -> Option<String> {
    match delivery.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}
