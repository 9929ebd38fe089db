//! Messages that nobody can read: set aside with the reason, and the worker goes on.

use crate::harness::{Exceptions, Fleet, On, World, fleet};

const HEAD: &str = r#""job_id":"0197a000-0000-7000-8000-000000000001","trace_id":"0197a000-0000-7000-8000-000000000002","enqueued_at":"2026-11-20T12:00:00Z""#;

#[test]
fn they_are_parked_with_their_reason_and_the_good_ones_are_done() {
    fleet(On::Services, World::of(4, 15), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        let unreadable = [
            ("garbage \u{1f4a5}".to_owned(), "not JSON of our form"),
            (String::new(), "not JSON of our form"),
            (format!(r#"{{"v":2,{HEAD},"job":{{"kind":"sync_list","character_id":1,"mode":"new"}}}}"#), "version 2"),
            (format!(r#"{{"v":1,{HEAD},"job":{{"kind":"dance"}}}}"#), "not JSON of our form"),
            (format!(r#"{{"v":1,{HEAD},"job":{{"kind":"sync_list","character_id":-5,"mode":"new"}}}}"#), "not JSON"),
        ];
        for (body, _) in &unreadable {
            fleet.queues().publish("list", body.as_bytes()).await;
        }
        // More than one worker's prefetch behind them, so that the good ones are not only those in front.
        fleet.drain().await;
        fleet.is_true_but(Exceptions { parked_messages: 5, ..Exceptions::default() }).await;

        let mut parked = Vec::new();
        while let Some(message) = fleet.queues().take("parked").await {
            let from = message.header("x-killfleet-queue").expect("it says where it came from");
            assert_eq!(from, fleet.queues().name("list"));
            parked.push((message.body(), message.header("x-killfleet-reason").expect("it says why")));
        }
        assert_eq!(parked.len(), unreadable.len());
        for (body, why) in &unreadable {
            let (_, reason) = parked.iter().find(|(parked, _)| parked == body).expect("its bytes are kept");
            assert!(reason.contains(why), "{reason:?} for {body:?}");
        }
        fleet.is_true().await;
    });
}
