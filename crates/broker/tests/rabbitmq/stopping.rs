//! Coming to an end: because the process is told to stop, or because there is nothing left to do.

use std::sync::Arc;
use std::time::Duration;

use broker::{ConsumerSettings, Ended, Publisher, Until};
use domain::{Job, Lane, Outcome, Verdict};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::fixture::{Running, details, eventually, list_messages, refresh, with_broker};
use crate::proxy::{Proxy, Way};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_what_is_begun_and_gives_back_the_rest() {
    with_broker(async |broker| {
        broker.put(&list_messages(10)).await;
        let (sender, mut begun) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let opened = gate.clone();
        // Two run, two more are sent ahead.
        let consumer = Running::start(broker.consumer(&[Lane::List]), broker.publisher(), move |delivered| {
            sender.send(delivered.message).unwrap();
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                Outcome { verdict: Verdict::Done, follow_ups: vec![details(1)] }
            }
        });
        let running = [begun.recv().await.unwrap(), begun.recv().await.unwrap()];
        eventually("two are held and two sent ahead", async || broker.ready(Lane::List).await == 6).await;

        consumer.stop.cancel();
        eventually("what was sent ahead is given back", async || broker.ready(Lane::List).await == 8).await;
        eventually("it is not ready any more", async || !consumer.status.is_consuming()).await;
        opened.add_permits(2);
        assert_eq!(consumer.ended().await.unwrap(), Ended::Drained);
        assert!(begun.recv().await.is_none(), "a job was begun after the stop");

        // The publisher worked until the end, and what was begun is acknowledged.
        assert_eq!(broker.ready(Lane::Detail).await, 2);
        assert_eq!(broker.ready(Lane::List).await, 8);
        let list = broker.topology.lane_queue(Lane::List);
        while let Some(left) = broker.take(&list).await {
            assert!(running.iter().all(|message| message.encode() != left.data));
        }
        let detail = broker.topology.lane_queue(Lane::Detail);
        while broker.take(&detail).await.is_some() {}
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_grace_time_jobs_are_cut_off_and_their_messages_come_again() {
    with_broker(async |broker| {
        broker.put(&list_messages(2)).await;
        let (sender, mut begun) = mpsc::unbounded_channel();
        let settings = ConsumerSettings { grace: Duration::from_millis(200), ..broker.consumer(&[Lane::List]) };
        let consumer = Running::start(settings, broker.publisher(), move |_| {
            // Held by the job: the channel closes when the last job is really gone.
            let sender = sender.clone();
            async move {
                sender.send(()).unwrap();
                std::future::pending().await
            }
        });
        begun.recv().await.unwrap();
        begun.recv().await.unwrap();
        assert_eq!(consumer.stop().await, Ended::GraceRanOut { jobs_left: 2 });
        assert!(begun.recv().await.is_none());
        eventually("both are back", async || broker.ready(Lane::List).await == 2).await;
        let list = broker.topology.lane_queue(Lane::List);
        while let Some(delivery) = broker.take(&list).await {
            assert!(delivery.redelivered);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_follow_ups_that_cannot_be_published() {
    with_broker(async |broker| {
        broker.put(&list_messages(2)).await;
        let proxy = Proxy::start(Way::Silent).await;
        let publisher = Arc::new(Publisher::open(broker.settings_at(&proxy.url())).unwrap());
        let settings = ConsumerSettings { grace: Duration::from_secs(10), ..broker.consumer(&[Lane::List]) };
        let consumer = Running::start(settings, publisher, |_| async {
            Outcome { verdict: Verdict::Done, follow_ups: vec![details(1)] }
        });
        eventually("publishing was tried", async || proxy.connections() >= 1).await;
        // Their rows are hinted again; so the messages are done with, and the queue is empty at the end.
        assert_eq!(consumer.stop().await, Ended::Drained);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_heard_while_no_broker_answers() {
    with_broker(async |broker| {
        for way in [Way::Closed, Way::Silent] {
            let proxy = Proxy::start(way).await;
            let settings =
                ConsumerSettings { broker: broker.settings_at(&proxy.url()), ..broker.consumer(&[Lane::List]) };
            let consumer = Running::start(settings, broker.publisher(), |_| async { unreachable!("no session") });
            eventually("it tried", async || proxy.connections() >= 1).await;
            assert!(!consumer.status.is_consuming());
            assert_eq!(consumer.stop().await, Ended::Drained);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_when_all_lanes_are_empty_and_all_follow_ups_done() {
    with_broker(async |broker| {
        broker.put(&list_messages(20)).await;
        let (sender, mut done) = mpsc::unbounded_channel();
        let settings = ConsumerSettings { until: Until::QueuesEmpty, ..broker.consumer(&Lane::ALL) };
        let consumer = Running::start(settings, broker.publisher(), move |delivered| {
            let sender = sender.clone();
            async move {
                let follow_ups = match delivered.message.job {
                    Job::SyncList(job) => vec![refresh(job.character_id.get())],
                    Job::RefreshToken { token_stream_id, .. } => {
                        let id = token_stream_id.get();
                        vec![details(id), details(1000 + id)]
                    }
                    _ => vec![],
                };
                sender.send(delivered.message.job_id).unwrap();
                Outcome { verdict: Verdict::Done, follow_ups }
            }
        });
        assert_eq!(consumer.ended().await.unwrap(), Ended::Drained);
        let mut jobs = Vec::new();
        while let Some(job_id) = done.recv().await {
            jobs.push(job_id);
        }
        assert_eq!(jobs.len(), 20 + 20 + 40);
        jobs.sort();
        jobs.dedup();
        assert_eq!(jobs.len(), 80, "a job was done twice");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_waits_for_the_job_that_still_runs_and_does_what_follows_from_it() {
    with_broker(async |broker| {
        broker.put(&list_messages(1)).await;
        let (sender, mut begun) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let opened = gate.clone();
        let settings = ConsumerSettings { until: Until::QueuesEmpty, ..broker.consumer(&Lane::ALL) };
        let consumer = Running::start(settings, broker.publisher(), move |delivered| {
            sender.send(delivered.message.job.lane()).unwrap();
            let gate = gate.clone();
            async move {
                if delivered.message.job.lane() == Lane::Detail {
                    return Outcome::from(Verdict::Done);
                }
                gate.acquire().await.unwrap().forget();
                Outcome { verdict: Verdict::Done, follow_ups: vec![details(1)] }
            }
        });
        assert_eq!(begun.recv().await, Some(Lane::List));
        // Much longer than two looks at the queues: an early end would show.
        let ends = eventually("it ends", async || !consumer.status.is_consuming());
        let early = timeout(Duration::from_secs(1), ends).await;
        assert!(early.is_err(), "the drain ended with a job in flight");
        opened.add_permits(1);
        assert_eq!(begun.recv().await, Some(Lane::Detail));
        assert_eq!(consumer.ended().await.unwrap(), Ended::Drained);
    })
    .await;
}
