//! A corner of the broker for one test: its own queue prefix, a connection to look with, and consumers to start.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use broker::{
    BrokerError, BrokerSettings, ConsumerSettings, ConsumerStatus, Ended, Publisher, QueuePrefix, Topology, Until,
    consume, message_for,
};
use domain::job::SyncList;
use domain::{CharacterId, Delivered, Job, JobMessage, KillmailId, Lane, Outcome, SyncMode, TokenStreamId};
use futures_util::FutureExt as _;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// For anything that has to happen sooner or later.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "the one place where these tests read their address")]
pub(crate) fn amqp_url() -> String {
    std::env::var("KILLFLEET_TEST_AMQP_URL").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned())
}

pub(crate) struct Fixture {
    pub(crate) prefix: QueuePrefix,
    pub(crate) topology: Topology,
    connection: Connection,
}

/// Runs `test` in a corner of its own, deletes its queues also when it panics, and checks that they were empty.
pub(crate) async fn with_broker(test: impl AsyncFnOnce(&Fixture)) {
    let prefix = QueuePrefix::parse(&format!("test-{}", Uuid::now_v7().simple())).unwrap();
    let connection = Connection::connect(&amqp_url(), ConnectionProperties::default()).await.unwrap();
    let fixture = Fixture { topology: Topology::of(prefix.clone()), prefix, connection };
    let result = AssertUnwindSafe(async {
        timeout(2 * LIMIT, test(&fixture)).await.expect("the test ends in time");
        fixture.assert_empty().await;
    })
    .catch_unwind()
    .await;
    for queue in fixture.queues() {
        let _ = fixture.channel().await.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await;
    }
    // lapin reports channels that are being dropped as an error here; the connection closes all the same.
    let _ = fixture.connection.close(200, "done".into()).await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// A message as it stands in the parked queue.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) body: Vec<u8>,
    pub(crate) reason: String,
    pub(crate) queue: String,
}

impl Fixture {
    pub(crate) fn settings_at(&self, url: &str) -> BrokerSettings {
        BrokerSettings {
            amqp_url: url.to_owned().into(),
            queue_prefix: self.prefix.clone(),
            connection_name: "broker tests".to_owned(),
        }
    }

    pub(crate) fn settings(&self) -> BrokerSettings {
        self.settings_at(&amqp_url())
    }

    pub(crate) fn publisher(&self) -> Arc<Publisher> {
        Arc::new(Publisher::open(self.settings()).unwrap())
    }

    pub(crate) fn consumer(&self, lanes: &[Lane]) -> ConsumerSettings {
        ConsumerSettings {
            broker: self.settings(),
            lanes: lanes.to_vec(),
            concurrency_per_lane: 2,
            until: Until::Stopped,
            grace: LIMIT,
        }
    }

    fn queues(&self) -> Vec<String> {
        let mut queues = vec![self.topology.parked_queue()];
        queues.extend(Lane::ALL.map(|lane| self.topology.lane_queue(lane)));
        queues
    }

    pub(crate) async fn channel(&self) -> Channel {
        self.connection.create_channel().await.unwrap()
    }

    /// Messages in `queue` that nobody holds; a queue that does not exist has none.
    pub(crate) async fn ready_in(&self, queue: &str) -> u32 {
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
        let found = self.channel().await.queue_declare(queue.into(), look, FieldTable::default()).await;
        found.map_or(0, |queue| queue.message_count())
    }

    pub(crate) async fn ready(&self, lane: Lane) -> u32 {
        self.ready_in(&self.topology.lane_queue(lane)).await
    }

    /// Several looks: a message that a closed connection did not acknowledge is ready again only when the broker has
    /// noticed, some milliseconds later.
    async fn assert_empty(&self) {
        let mut look = interval(Duration::from_millis(20));
        for _ in 0..5 {
            look.tick().await;
            for queue in self.queues() {
                assert_eq!(self.ready_in(&queue).await, 0, "messages were left in {queue}");
            }
        }
    }

    pub(crate) async fn delete_queue(&self, lane: Lane) {
        let queue = self.topology.lane_queue(lane);
        self.channel().await.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    }

    /// Bytes that need not be a message of ours.
    #[expect(clippy::disallowed_methods, reason = "the publisher writes readable messages only")]
    pub(crate) async fn put_bytes(&self, lane: Lane, bytes: &[u8]) {
        let queue = self.topology.lane_queue(lane);
        let channel = self.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let written =
            channel.basic_publish("".into(), queue.as_str().into(), options, bytes, properties).await.unwrap();
        let confirmation = written.await.unwrap();
        assert!(confirmation.is_ack() && confirmation.take_message().is_none(), "{queue} did not take the bytes");
    }

    pub(crate) async fn put(&self, messages: &[JobMessage]) {
        let publisher = self.publisher();
        let published = publisher.publish(messages).await;
        assert!(published.failure.is_none(), "{:?}", published.failure);
        assert_eq!(published.confirmed.len(), messages.len());
        publisher.close().await;
    }

    /// Takes the next message out of a queue for good.
    pub(crate) async fn take(&self, queue: &str) -> Option<lapin::message::Delivery> {
        let got = self.channel().await.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap();
        got.map(|got| got.delivery)
    }

    pub(crate) async fn take_parked(&self) -> Option<Parked> {
        let delivery = self.take(&self.topology.parked_queue()).await?;
        let header = |name: &str| match delivery.properties.headers().as_ref()?.inner().get(name)? {
            AMQPValue::LongString(text) => Some(text.to_string()),
            _ => None,
        };
        Some(Parked {
            reason: header("x-killfleet-reason").unwrap_or_default(),
            queue: header("x-killfleet-queue").unwrap_or_default(),
            body: delivery.data.clone(),
        })
    }
}

/// A consumer that runs beside the test.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    pub(crate) status: ConsumerStatus,
    task: JoinSet<Result<Ended, BrokerError>>,
}

impl Running {
    pub(crate) fn start<H, F>(settings: ConsumerSettings, publisher: Arc<Publisher>, handler: H) -> Self
    where
        H: Fn(Delivered) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let (stop, status, mut task) = (CancellationToken::new(), ConsumerStatus::default(), JoinSet::new());
        task.spawn(consume(settings, publisher, handler, status.clone(), stop.clone()));
        Self { stop, status, task }
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(mut self) -> Result<Ended, BrokerError> {
        let ended = timeout(LIMIT, self.task.join_next()).await.expect("the consumer ends in time");
        ended.unwrap().unwrap()
    }

    pub(crate) async fn stop(self) -> Ended {
        self.stop.cancel();
        self.ended().await.unwrap()
    }

    /// As if the process were killed: nothing is settled, nothing is closed in order.
    pub(crate) async fn kill(mut self) {
        self.task.shutdown().await;
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let wait = async {
        let mut look = interval(Duration::from_millis(20));
        loop {
            look.tick().await;
            if condition().await {
                return;
            }
        }
    };
    timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

pub(crate) fn sync_list(character: i64) -> SyncList {
    SyncList { character_id: CharacterId::parse(character).unwrap(), mode: SyncMode::New }
}

pub(crate) fn list_message(character: i64) -> JobMessage {
    message_for(Job::SyncList(sync_list(character)), Uuid::now_v7())
}

pub(crate) fn list_messages(count: i64) -> Vec<JobMessage> {
    (1..=count).map(list_message).collect()
}

pub(crate) fn details(killmail: i64) -> Job {
    Job::FetchDetails { killmail_ids: vec![KillmailId::parse(killmail).unwrap()] }
}

pub(crate) fn refresh(stream: i64) -> Job {
    Job::RefreshToken { token_stream_id: TokenStreamId::parse(stream).unwrap(), then: sync_list(stream) }
}
