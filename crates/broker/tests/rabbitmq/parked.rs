//! Looking into the parked queue: nothing is lost by it, however often it is done.

use broker::ParkedQueue;
use domain::{Delivered, Lane, Outcome};
use uuid::Uuid;

use crate::fixture::{Fixture, Running, eventually, list_message, with_broker};

/// Parks these bytes as the fleet does.
async fn parked(broker: &Fixture, bodies: &[&[u8]]) {
    broker.publisher().ready_messages(Lane::List).await.unwrap();
    for body in bodies {
        broker.put_bytes(Lane::List, body).await;
    }
    let panics = |_: Delivered| async { panic!("nobody's job") as Outcome };
    let settings = broker::ConsumerSettings { concurrency_per_lane: 1, ..broker.consumer(&[Lane::List]) };
    let consumer = Running::start(settings, broker.publisher(), panics);
    are_ready(broker, bodies.len()).await;
    consumer.stop().await;
}

async fn are_ready(broker: &Fixture, count: usize) {
    let queue = broker.topology.parked_queue();
    eventually("all are in the parked queue", async || broker.ready_in(&queue).await as usize == count).await;
}

fn ids(queue: &ParkedQueue) -> Vec<Uuid> {
    queue.messages().map(|message| message.message_id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_tells_what_is_there_and_leaves_it_there() {
    with_broker(async |broker| {
        let message = list_message(7);
        let long = "x".repeat(100_000);
        parked(broker, &[b"gar\x00bage", &message.encode(), long.as_bytes()]).await;

        let queue = ParkedQueue::hold(broker.settings(), 2).await.unwrap();
        assert_eq!((queue.messages().count(), queue.left()), (2, 1));
        queue.give_back().await;
        are_ready(broker, 3).await;

        let queue = ParkedQueue::hold(broker.settings(), 10).await.unwrap();
        let told: Vec<_> = queue.messages().collect();
        let lengths: Vec<_> = told.iter().map(|parked| (parked.size_bytes, parked.shown.chars().count())).collect();
        assert_eq!(lengths[0], (8, 8));
        assert_eq!(lengths[2], (100_000, 500), "what is kept of each is small");
        assert!(told[0].reason.contains("not JSON") && told[0].job.is_err(), "{:?}", told[0]);
        assert_eq!(told[1].reason, "the handler panicked");
        assert_eq!(told[1].job.as_ref().unwrap(), &message);
        assert_eq!(told[1].queue.as_deref(), Some(broker.topology.lane_queue(Lane::List).as_str()));
        // Cut off, as when the process is killed.
        drop(queue);
        are_ready(broker, 3).await;

        let mut queue = ParkedQueue::hold(broker.settings(), 10).await.unwrap();
        let of_the_job = ids(&queue)[1];
        assert!(queue.remove(of_the_job).await.unwrap());
        assert!(!queue.remove(of_the_job).await.unwrap(), "once");
        queue.give_back().await;
        are_ready(broker, 2).await;
        for _ in 0..2 {
            assert_ne!(broker.take_parked().await.unwrap().body, message.encode());
        }
    })
    .await;
}

/// A broker of today throws away what was delivered twenty times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_looked_at_often_is_put_in_anew_and_stays_the_same() {
    with_broker(async |broker| {
        parked(broker, &[b"garbage", b"other garbage"]).await;
        let parked_queue = broker.topology.parked_queue();
        let mut seen = Vec::new();
        for _ in 0..12 {
            let queue = ParkedQueue::hold(broker.settings(), 10).await.unwrap();
            let mut ids = ids(&queue);
            ids.sort_unstable();
            seen.push(ids);
            queue.give_back().await;
            are_ready(broker, 2).await;
        }
        assert!(seen[0].len() == 2 && seen.iter().all(|ids| *ids == seen[0]), "{seen:?}");
        for _ in 0..2 {
            let delivery = broker.take(&parked_queue).await.unwrap();
            let headers = delivery.properties.headers().clone().unwrap_or_default();
            let deliveries = headers.inner().get("x-delivery-count").and_then(|count| count.as_long_long_int());
            assert!(deliveries.unwrap_or(0) < 9, "{headers:?}");
        }
    })
    .await;
}
