//! Published means confirmed, for each message by itself.

use std::collections::HashSet;

use broker::{BrokerError, Publisher, message_for};
use domain::{Lane, Outcome, Verdict};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::fixture::{Running, details, eventually, list_message, list_messages, refresh, with_broker};
use crate::proxy::{Proxy, Way};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_confirmed_counted_and_consumed_once() {
    with_broker(async |broker| {
        let publisher = broker.publisher();
        let trace_id = Uuid::now_v7();
        let mut messages = list_messages(600);
        messages.push(message_for(details(1), trace_id));
        messages.push(message_for(refresh(1), trace_id));

        let published = publisher.publish(&messages).await;

        assert!(published.failure.is_none(), "{:?}", published.failure);
        assert_eq!(published.confirmed, messages.iter().map(|message| message.job_id).collect());
        let counts = [(Lane::List, 600), (Lane::Detail, 1), (Lane::Refresh, 1)];
        for (lane, expected) in counts {
            assert_eq!(publisher.ready_messages(lane).await.unwrap(), expected, "{lane:?}");
        }

        let (sender, mut seen) = mpsc::unbounded_channel();
        let consumer = Running::start(broker.consumer(&Lane::ALL), publisher, move |delivered| {
            sender.send(delivered).unwrap();
            async { Outcome::from(Verdict::Done) }
        });
        let mut consumed = Vec::new();
        while consumed.len() < messages.len() {
            let delivered = seen.recv().await.unwrap();
            assert!(!delivered.redelivered);
            consumed.push(delivered.message);
        }
        consumer.stop().await;
        assert!(seen.recv().await.is_none(), "a message came twice");
        consumed.sort_by_key(|message| message.job_id);
        messages.sort_by_key(|message| message.job_id);
        assert_eq!(consumed, messages);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_without_a_queue_is_not_confirmed_and_the_others_are() {
    with_broker(async |broker| {
        let publisher = broker.publisher();
        assert_eq!(publisher.ready_messages(Lane::List).await.unwrap(), 0);
        broker.delete_queue(Lane::Detail).await;
        let mut messages = list_messages(100);
        let lost = message_for(details(1), Uuid::now_v7());
        messages.insert(50, lost.clone());

        let published = publisher.publish(&messages).await;

        assert!(matches!(published.failure, Some(BrokerError::NotRouted { messages: 1 })), "{:?}", published.failure);
        let mut expected: HashSet<_> = messages.iter().map(|message| message.job_id).collect();
        expected.remove(&lost.job_id);
        assert_eq!(published.confirmed, expected);
        assert_eq!(broker.ready(Lane::List).await, 100);

        // The next attempt declares the queue again.
        let again = publisher.publish(std::slice::from_ref(&lost)).await;
        assert_eq!(again.confirmed, HashSet::from([lost.job_id]));
        assert!(broker.take(&broker.topology.lane_queue(Lane::Detail)).await.is_some());
        broker.delete_queue(Lane::List).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_confirmed_while_no_broker_answers() {
    with_broker(async |broker| {
        let proxy = Proxy::start(Way::Closed).await;
        let publisher = Publisher::open(broker.settings_at(&proxy.url())).unwrap();
        let message = list_message(1);

        let published = publisher.publish(std::slice::from_ref(&message)).await;
        assert!(published.confirmed.is_empty());
        assert!(matches!(published.failure, Some(BrokerError::NotReachable { .. })), "{:?}", published.failure);
        assert_eq!(proxy.connections(), 1, "one attempt to publish is one attempt to connect");
        assert!(matches!(publisher.ready_messages(Lane::List).await, Err(BrokerError::NotReachable { .. })));

        proxy.set(Way::Silent);
        let published = publisher.publish(std::slice::from_ref(&message)).await;
        assert!(matches!(published.failure, Some(BrokerError::NotReachable { .. })), "{:?}", published.failure);

        proxy.set(Way::Open);
        let published = publisher.publish(std::slice::from_ref(&message)).await;
        assert_eq!(published.confirmed, HashSet::from([message.job_id]));
        assert!(broker.take(&broker.topology.lane_queue(Lane::List)).await.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_whose_connection_was_cut_makes_another() {
    with_broker(async |broker| {
        let proxy = Proxy::start(Way::Open).await;
        let publisher = Publisher::open(broker.settings_at(&proxy.url())).unwrap();
        assert!(publisher.publish(&[list_message(1)]).await.failure.is_none());

        proxy.cut();
        // The attempt that meets the dead connection may fail; one after it goes through.
        eventually("a message is confirmed", async || publisher.publish(&[list_message(2)]).await.failure.is_none())
            .await;
        publisher.close().await;

        let list = broker.topology.lane_queue(Lane::List);
        while broker.take(&list).await.is_some() {}
    })
    .await;
}
