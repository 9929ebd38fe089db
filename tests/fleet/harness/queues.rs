//! The test's own queues: to look into them, to put messages there that no publisher of ours would write, and to lose
//! them.

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
    QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;
use uuid::Uuid;

const DEFAULT_BROKER: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// All queues of the fleet by their last word.
pub(crate) const ALL: [&str; 4] = ["list", "detail", "refresh", "parked"];

pub(crate) struct Queues {
    url: String,
    prefix: String,
    connection: Mutex<Connection>,
}

impl Queues {
    pub(super) async fn connect() -> Self {
        let url = broker();
        let connection = Mutex::new(connect(&url).await);
        Self { url, prefix: format!("fleet-{}", Uuid::now_v7().simple()), connection }
    }

    pub(super) async fn delete_all(&self) {
        for queue in ALL {
            self.delete(queue).await;
        }
        // lapin reports channels that are being dropped as an error here, and now and then it never answers. The
        // connection goes with its object all the same.
        let _ = timeout(GOODBYE_LIMIT, self.connection.lock().await.close(200, "done".into())).await;
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn name(&self, queue: &str) -> String {
        format!("{}.v1.{queue}", self.prefix)
    }

    /// A refused call closes its channel, so every call has one of its own. A broker that was restarted is met anew.
    async fn channel(&self) -> Channel {
        let mut connection = self.connection.lock().await;
        if !connection.status().connected() {
            *connection = connect(&self.url).await;
        }
        connection.create_channel().await.unwrap_or_else(|error| panic!("no channel: {error}"))
    }

    /// Messages that nobody holds; a queue that does not exist has none.
    pub(crate) async fn ready(&self, queue: &str) -> u32 {
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
        let found = self.channel().await.queue_declare(self.name(queue).into(), look, FieldTable::default()).await;
        found.map_or(0, |queue| queue.message_count())
    }

    pub(crate) async fn delete(&self, queue: &str) {
        let deleted = self.channel().await.queue_delete(self.name(queue).into(), QueueDeleteOptions::default()).await;
        // One that was never declared, which RabbitMQ takes for deleted.
        drop(deleted);
    }

    /// Throws away what is in the queue; how many messages that were.
    pub(crate) async fn purge(&self, queue: &str) -> u32 {
        let purge = self.channel().await.queue_purge(self.name(queue).into(), QueuePurgeOptions::default()).await;
        purge.unwrap_or_else(|error| panic!("not purged: {error}"))
    }

    /// Bytes that need not be a message of ours. The queue must be there: a tick declares all of them.
    pub(crate) async fn publish(&self, queue: &str, bytes: &[u8]) {
        assert!(self.offer(queue, bytes).await, "{queue} did not take the message");
    }

    /// The same, with bytes that the broker may find too many. Whether it has taken them.
    pub(crate) async fn offer(&self, queue: &str, bytes: &[u8]) -> bool {
        self.put(queue, bytes, BasicProperties::default().with_delivery_mode(2)).await
    }

    /// The same bytes again and again, without waiting for each of them.
    #[expect(clippy::disallowed_methods, reason = "the fleet's own publisher writes each job once")]
    pub(crate) async fn publish_often(&self, queue: &str, bytes: &[u8], times: u32) {
        let channel = self.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let queue = self.name(queue);
        for sent in 1..=times {
            let properties = BasicProperties::default();
            let options = BasicPublishOptions { mandatory: true, immediate: false };
            let written = channel.basic_publish("".into(), queue.as_str().into(), options, bytes, properties).await;
            // Each is kept by the channel until it is waited for.
            drop(written.unwrap());
            if sent % 1_000 == 0 || sent == times {
                assert!(channel.wait_for_confirms().await.unwrap().is_empty(), "{queue} gave messages back");
            }
        }
    }

    /// The same, with an id as the fleet's own have.
    pub(crate) async fn publish_as(&self, queue: &str, message_id: &str, bytes: &[u8]) {
        let properties = BasicProperties::default().with_delivery_mode(2).with_message_id(message_id.into());
        assert!(self.put(queue, bytes, properties).await, "{queue} did not take the message");
    }

    #[expect(clippy::disallowed_methods, reason = "the fleet's own publisher writes readable messages only")]
    async fn put(&self, queue: &str, bytes: &[u8], properties: BasicProperties) -> bool {
        let queue = self.name(queue);
        let channel = self.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let sent = channel.basic_publish("".into(), queue.as_str().into(), options, bytes, properties).await.unwrap();
        // A broker that finds a message too long closes the channel.
        sent.await.is_ok_and(|confirmation| confirmation.is_ack() && confirmation.take_message().is_none())
    }

    /// Takes the next message out for good.
    pub(crate) async fn take(&self, queue: &str) -> Option<Message> {
        let get = BasicGetOptions { no_ack: true };
        let got = self.channel().await.basic_get(self.name(queue).into(), get).await;
        got.unwrap_or_else(|error| panic!("{queue}: {error}")).map(|got| Message(got.delivery))
    }

    /// The bodies of all messages of a queue, which stay in it.
    pub(crate) async fn bodies(&self, queue: &str) -> Vec<String> {
        let channel = self.channel().await;
        let mut bodies = Vec::new();
        let get = BasicGetOptions { no_ack: false };
        while let Ok(Some(got)) = channel.basic_get(self.name(queue).into(), get).await {
            bodies.push(Message(got.delivery).body());
        }
        // What was not acknowledged goes back when the channel closes.
        channel.close(200, "looked".into()).await.unwrap();
        bodies
    }
}

async fn connect(url: &str) -> Connection {
    let connected = Connection::connect(url, ConnectionProperties::default()).await;
    connected.unwrap_or_else(|error| panic!("no broker: {error}"))
}

/// The bytes of a message with this job, as the fleet writes them.
pub(crate) fn message(job: &Value) -> Vec<u8> {
    let message = json!({
        "v": 1,
        "job_id": Uuid::now_v7(),
        "trace_id": Uuid::now_v7(),
        "enqueued_at": "2026-11-20T12:00:00Z",
        "job": job,
    });
    message.to_string().into_bytes()
}

/// As it stood in a queue.
pub(crate) struct Message(Delivery);

impl Message {
    pub(crate) fn body(&self) -> String {
        String::from_utf8_lossy(&self.0.data).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        match self.0.properties.headers().as_ref()?.inner().get(name)? {
            AMQPValue::LongString(text) => Some(text.to_string()),
            other => panic!("the header {name} is no text: {other:?}"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own setting, which no process of the fleet reads")]
fn broker() -> String {
    std::env::var("KILLFLEET_TEST_AMQP_URL").unwrap_or_else(|_| DEFAULT_BROKER.to_owned())
}
