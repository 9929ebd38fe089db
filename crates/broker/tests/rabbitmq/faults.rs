//! A broker that goes away, comes back, is not ours, or does not want us.

use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use broker::{BrokerError, ConsumerSettings};
use domain::{FailureClass, Lane, Outcome, Verdict};
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use tokio::sync::{Semaphore, mpsc};
use url::Url;

use crate::fixture::{Running, amqp_url, eventually, list_message, list_messages, with_broker};
use crate::proxy::{Proxy, Way};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_cut_in_the_middle_of_work_is_built_again_and_nothing_is_lost() {
    with_broker(async |broker| {
        let messages = list_messages(30);
        broker.put(&messages).await;
        let proxy = Proxy::start(Way::Open).await;
        let settings = ConsumerSettings { broker: broker.settings_at(&proxy.url()), ..broker.consumer(&[Lane::List]) };
        let (sender, mut begun) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let (opened, running, most) = (gate.clone(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let most_at_once = most.clone();
        let consumer = Running::start(settings, broker.publisher(), move |delivered| {
            let (sender, gate, running, most) = (sender.clone(), gate.clone(), running.clone(), most.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sender.send(delivered).unwrap();
                gate.acquire().await.unwrap().forget();
                running.fetch_sub(1, Ordering::SeqCst);
                Outcome::from(Verdict::Done)
            }
        });
        let held = [begun.recv().await.unwrap(), begun.recv().await.unwrap()];

        proxy.cut();
        eventually("a new session stands while both jobs still run", async || {
            consumer.status.session_restarts() == 1 && consumer.status.is_consuming()
        })
        .await;
        assert!(begun.try_recv().is_err(), "the jobs of the lost session still hold their permits");
        opened.add_permits(1000);

        let mut seen = HashSet::new();
        let mut redelivered = HashSet::new();
        // The two that ran are delivered again: their acknowledgement went to a dead session.
        for _ in 0..messages.len() {
            let delivered = begun.recv().await.unwrap();
            if delivered.redelivered {
                redelivered.insert(delivered.message.job_id);
            }
            seen.insert(delivered.message.job_id);
        }
        assert_eq!(seen, messages.iter().map(|message| message.job_id).collect());
        assert!(held.iter().all(|held| redelivered.contains(&held.message.job_id)));
        assert_eq!(most_at_once.load(Ordering::SeqCst), 2, "more jobs ran than were allowed");
        consumer.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_answers_late_is_waited_for() {
    with_broker(async |broker| {
        broker.put(&[list_message(1)]).await;
        let proxy = Proxy::start(Way::Closed).await;
        let settings = ConsumerSettings { broker: broker.settings_at(&proxy.url()), ..broker.consumer(&[Lane::List]) };
        let (sender, mut begun) = mpsc::unbounded_channel();
        let consumer = Running::start(settings, broker.publisher(), move |_| {
            sender.send(()).unwrap();
            async { Outcome::from(Verdict::Done) }
        });
        eventually("it tries again and again", async || proxy.connections() >= 4).await;
        assert!(!consumer.status.is_consuming());
        proxy.set(Way::Open);
        begun.recv().await.unwrap();
        assert!(consumer.status.is_consuming());
        assert_eq!(consumer.status.session_restarts(), 0, "no session was lost, there was none");
        consumer.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_deleted_under_its_consumer_is_declared_again() {
    with_broker(async |broker| {
        let (sender, mut begun) = mpsc::unbounded_channel();
        let consumer = Running::start(broker.consumer(&Lane::ALL), broker.publisher(), move |delivered| {
            sender.send(delivered.message).unwrap();
            async { Outcome::from(Verdict::Done) }
        });
        eventually("it consumes", async || consumer.status.is_consuming()).await;

        broker.delete_queue(Lane::List).await;

        eventually("it consumes again", async || {
            consumer.status.session_restarts() == 1 && consumer.status.is_consuming()
        })
        .await;
        let message = list_message(1);
        broker.put(std::slice::from_ref(&message)).await;
        assert_eq!(begun.recv().await, Some(message));
        consumer.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_with_other_arguments_is_named() {
    with_broker(async |broker| {
        let queue = broker.topology.lane_queue(Lane::Detail);
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
        let declare = QueueDeclareOptions::durable();
        broker.channel().await.queue_declare(queue.as_str().into(), declare, arguments).await.unwrap();

        let publisher = broker.publisher();
        let published = publisher.publish(&[list_message(1)]).await;
        let consumer = Running::start(broker.consumer(&[Lane::List]), publisher, |_| async {
            unreachable!("there is no session")
        });
        let failures = [published.failure.unwrap(), consumer.ended().await.unwrap_err()];
        for failure in failures {
            assert!(
                matches!(&failure, BrokerError::ArgumentsDiffer { queue: named, .. } if *named == queue),
                "{failure:?}"
            );
            assert_eq!(failure.class(), FailureClass::Configuration);
            assert!(failure.to_string().contains("rabbitmqctl delete_queue"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_end_the_consumer_and_stay_secret() {
    with_broker(async |broker| {
        let mut wrong_password = Url::parse(&amqp_url()).unwrap();
        wrong_password.set_password(Some("hunter2")).unwrap();
        let mut wrong_virtual_host = Url::parse(&amqp_url()).unwrap();
        wrong_virtual_host.set_path("/no-such-virtual-host");
        for url in [wrong_password, wrong_virtual_host] {
            let settings =
                ConsumerSettings { broker: broker.settings_at(url.as_str()), ..broker.consumer(&[Lane::List]) };
            assert!(!format!("{settings:?}").contains("hunter2"));
            let consumer =
                Running::start(settings, broker.publisher(), |_| async { unreachable!("there is no session") });
            let failure = consumer.ended().await.unwrap_err();
            assert!(matches!(failure, BrokerError::Refused { .. }), "{failure:?}");
            assert_eq!(failure.class(), FailureClass::Configuration);
            let source = failure.source().unwrap();
            let told = format!("{failure} {failure:?} {source} {source:?}");
            assert!(!told.contains("hunter2"), "{told}");
            assert!(told.contains("check user, password and virtual host"), "{told}");
        }
    })
    .await;
}
