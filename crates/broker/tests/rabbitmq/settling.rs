//! What is done with a delivery when its job has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use broker::{Publisher, message_for};
use domain::{Job, JobMessage, Lane, Outcome, Verdict};
use lapin::options::{BasicGetOptions, BasicRejectOptions};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::fixture::{Running, details, eventually, list_message, list_messages, with_broker};
use crate::proxy::{Proxy, Way};

fn done_with(follow_ups: Vec<Job>) -> Outcome {
    Outcome { verdict: Verdict::Done, follow_ups }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follow_ups_carry_the_trace_of_their_parent() {
    with_broker(async |broker| {
        let parent = list_message(1);
        broker.put(std::slice::from_ref(&parent)).await;
        let consumer = Running::start(broker.consumer(&[Lane::List]), broker.publisher(), |_| async {
            done_with(vec![details(1), details(2)])
        });
        eventually("both follow-ups are in their queue", async || broker.ready(Lane::Detail).await == 2).await;
        consumer.stop().await;

        let queue = broker.topology.lane_queue(Lane::Detail);
        for expected in [details(1), details(2)] {
            let delivery = broker.take(&queue).await.unwrap();
            let message = JobMessage::decode(&delivery.data).unwrap();
            assert_eq!(message.job, expected);
            assert_eq!(message.trace_id, parent.trace_id);
            assert_ne!(message.job_id, parent.job_id);
            assert!(message.enqueued_at >= parent.enqueued_at);
            let message_id = delivery.properties.message_id().as_ref().map(ToString::to_string);
            assert_eq!(message_id, Some(message.job_id.to_string()));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_not_acknowledged_before_its_follow_ups_are_confirmed() {
    with_broker(async |broker| {
        broker.put(&[list_message(1)]).await;
        let proxy = Proxy::start(Way::Closed).await;
        let publisher = Arc::new(Publisher::open(broker.settings_at(&proxy.url())).unwrap());
        let handler = |_| async { done_with(vec![details(1)]) };

        let killed = Running::start(broker.consumer(&[Lane::List]), publisher.clone(), handler);
        eventually("the follow-up was tried three times", async || proxy.connections() >= 3).await;
        assert_eq!(broker.ready(Lane::Detail).await, 0);
        killed.kill().await;
        eventually("the message is back in its queue", async || broker.ready(Lane::List).await == 1).await;

        let consumer = Running::start(broker.consumer(&[Lane::List]), publisher, handler);
        let tried = proxy.connections();
        eventually("the follow-up was tried again", async || proxy.connections() > tried).await;
        proxy.set(Way::Open);
        eventually("the follow-up is in its queue", async || broker.ready(Lane::Detail).await == 1).await;
        consumer.stop().await;
        assert!(broker.take(&broker.topology.lane_queue(Lane::Detail)).await.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_messages_are_parked_and_the_good_ones_behind_them_done() {
    with_broker(async |broker| {
        let good = list_messages(5);
        broker.put(&good[..1]).await;
        let garbage: Vec<u8> =
            (0..1_048_576_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let other_version = br#"{"v":2,"job":{"kind":"from_the_future"}}"#.to_vec();
        let unknown_kind = String::from_utf8(good[0].encode()).unwrap().replace("sync_list", &"dance".repeat(5_000));
        let unreadable = [
            (b"<html>not a job</html>".to_vec(), "not JSON of our form"),
            (other_version, "version 2"),
            (unknown_kind.into_bytes(), "not JSON of our form"),
            (garbage, "1048576 bytes"),
        ];
        for (bytes, _) in &unreadable {
            broker.put_bytes(Lane::List, bytes).await;
        }
        broker.put(&good[1..]).await;

        let (sender, mut seen) = mpsc::unbounded_channel();
        let settings = broker::ConsumerSettings { concurrency_per_lane: 1, ..broker.consumer(&[Lane::List]) };
        let consumer = Running::start(settings, broker.publisher(), move |delivered| {
            sender.send(delivered.message).unwrap();
            async { Outcome::from(Verdict::Done) }
        });
        for expected in &good {
            assert_eq!(seen.recv().await.as_ref(), Some(expected));
        }
        let parked_queue = broker.topology.parked_queue();
        eventually("all four are parked", async || broker.ready_in(&parked_queue).await == 4).await;
        consumer.stop().await;

        for (bytes, reason) in unreadable {
            let parked = broker.take_parked().await.unwrap();
            assert!(parked.body == bytes, "the parked bytes are not the original ones");
            assert!(parked.reason.contains(reason), "{} for {reason}", parked.reason);
            assert_eq!(parked.queue, broker.topology.lane_queue(Lane::List));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_message_waits_until_it_can_be_parked() {
    with_broker(async |broker| {
        broker.publisher().ready_messages(Lane::List).await.unwrap();
        broker.put_bytes(Lane::List, b"garbage").await;
        let proxy = Proxy::start(Way::Closed).await;
        let publisher = Arc::new(Publisher::open(broker.settings_at(&proxy.url())).unwrap());
        let consumer = Running::start(broker.consumer(&[Lane::List]), publisher.clone(), |_| async {
            unreachable!("garbage is no job")
        });
        eventually("parking was tried three times", async || proxy.connections() >= 3).await;
        // A stop does not wait for a parking that cannot be had: the message goes back.
        consumer.stop().await;
        eventually("it is back in its queue", async || broker.ready(Lane::List).await == 1).await;

        proxy.set(Way::Open);
        let consumer =
            Running::start(broker.consumer(&[Lane::List]), publisher, |_| async { unreachable!("garbage is no job") });
        let parked_queue = broker.topology.parked_queue();
        eventually("it is parked", async || broker.ready_in(&parked_queue).await == 1).await;
        consumer.stop().await;
        assert_eq!(broker.take_parked().await.unwrap().body, b"garbage");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_parks_its_message_and_the_worker_lives_on() {
    with_broker(async |broker| {
        let messages = list_messages(6);
        broker.put(&messages).await;
        let (sender, mut seen) = mpsc::unbounded_channel();
        let settings = broker::ConsumerSettings { concurrency_per_lane: 1, ..broker.consumer(&[Lane::List]) };
        let calls = Arc::new(AtomicUsize::new(0));
        let consumer = Running::start(settings, broker.publisher(), move |delivered| {
            let (sender, call) = (sender.clone(), calls.fetch_add(1, Ordering::SeqCst));
            assert_ne!(call, 1, "a panic before there is a future");
            async move {
                assert_ne!(call, 3, "a panic within the future");
                sender.send(delivered.message).unwrap();
                Outcome::from(Verdict::Done)
            }
        });
        for expected in [0, 2, 4, 5] {
            assert_eq!(seen.recv().await.as_ref(), Some(&messages[expected]));
        }
        let parked_queue = broker.topology.parked_queue();
        eventually("both are parked", async || broker.ready_in(&parked_queue).await == 2).await;
        assert_eq!(consumer.status.session_restarts(), 0);
        consumer.stop().await;
        for index in [1, 3] {
            let parked = broker.take_parked().await.unwrap();
            assert_eq!(parked.body, messages[index].encode());
            assert_eq!(parked.reason, "the handler panicked");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_handed_back_comes_again_as_redelivered() {
    with_broker(async |broker| {
        let message = list_message(1);
        broker.put(std::slice::from_ref(&message)).await;
        let (sender, mut seen) = mpsc::unbounded_channel();
        let consumer = Running::start(broker.consumer(&[Lane::List]), broker.publisher(), move |delivered| {
            let redelivered = delivered.redelivered;
            sender.send(delivered).unwrap();
            async move {
                let reason = "the database is away".to_owned();
                Outcome::from(if redelivered { Verdict::Done } else { Verdict::HandBack { reason } })
            }
        });
        for redelivered in [false, true] {
            let delivered = seen.recv().await.unwrap();
            assert_eq!((delivered.message, delivered.redelivered), (message.clone(), redelivered));
        }
        consumer.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_other_verdict_acknowledges() {
    with_broker(async |broker| {
        let verdicts = [
            Verdict::Done,
            Verdict::skipped("nothing to do"),
            Verdict::RetryAfter {
                delay: std::time::Duration::from_secs(60),
                reason: "later".to_owned(),
                counted: domain::Counted::Attempt,
            },
            Verdict::Parked { reason: "its row is parked, not its message".to_owned() },
        ];
        broker.put(&list_messages(4)).await;
        let (sender, mut seen) = mpsc::unbounded_channel();
        let calls = Arc::new(AtomicUsize::new(0));
        let consumer = Running::start(broker.consumer(&[Lane::List]), broker.publisher(), move |_| {
            let verdict = verdicts[calls.fetch_add(1, Ordering::SeqCst)].clone();
            sender.send(()).unwrap();
            async { Outcome::from(verdict) }
        });
        for _ in 0..4 {
            seen.recv().await.unwrap();
        }
        consumer.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_delivered_too_often_ends_in_the_parked_queue() {
    with_broker(async |broker| {
        let message = message_for(details(1), Uuid::now_v7());
        broker.put(std::slice::from_ref(&message)).await;
        let queue = broker.topology.lane_queue(Lane::Detail);
        let parked_queue = broker.topology.parked_queue();
        // Rejecting counts on every version of RabbitMQ, as a killed worker does.
        let channel = broker.channel().await;
        let deliveries = AtomicUsize::new(0);
        eventually("the message is parked", async || {
            if let Some(got) = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await.unwrap() {
                deliveries.fetch_add(1, Ordering::SeqCst);
                got.reject(BasicRejectOptions { requeue: true }).await.unwrap();
            }
            broker.ready_in(&parked_queue).await == 1
        })
        .await;
        assert_eq!(deliveries.load(Ordering::SeqCst), 51, "the first delivery and fifty more");
        let looked_at = broker::ParkedQueue::hold(broker.settings(), 10).await.unwrap();
        let parked: Vec<_> = looked_at.messages().collect();
        assert_eq!((parked.len(), parked[0].reason.as_str()), (1, "delivered too often"));
        assert_eq!((parked[0].message_id, parked[0].queue.as_deref()), (message.job_id, Some(queue.as_str())));
        looked_at.give_back().await;
        eventually("it is back", async || broker.ready_in(&parked_queue).await == 1).await;
        assert_eq!(broker.take_parked().await.unwrap().body, message.encode());
    })
    .await;
}
