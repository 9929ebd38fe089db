//! Lists that change while they are walked: all that there is is found, now or by the next whole walk.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{Fleet, On, World, fleet, on_both};

on_both![
    a_list_that_is_about_to_be_another_one_is_asked_for_again_before_it_is_walked,
    pages_that_were_made_at_different_times_are_walked_again_within_a_day,
];

fn paged() -> World {
    World::of(1, 30).with("--page-size=5")
}

async fn walked_again_within_days(fleet: &Fleet<'_>, days: u32) -> bool {
    let soon = format!("character where full_walk_at <= now() + interval '{days} days'");
    fleet.database.count(&soon).await == 1
}

/// Page 1 as it is, made almost five minutes ago.
async fn first_page_is_old(fleet: &Fleet<'_>) {
    let truth = fleet.simulator.truth().await;
    let newest_first = truth.lists[0].killmail_ids.iter().rev().take(5);
    let hash = |id: i64| &truth.killmails.iter().find(|killmail| killmail.killmail_id == id).unwrap().killmail_hash;
    let page: Vec<Value> = newest_first.map(|id| json!({ "killmail_id": id, "killmail_hash": hash(*id) })).collect();
    #[expect(clippy::disallowed_methods, reason = "a header that a server sends now")]
    let made = Utc::now() - TimeDelta::seconds(298);
    let headers = json!({
        "x-pages": "6",
        "cache-control": "private, max-age=1",
        "last-modified": made.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    });
    let answer = json!({ "kind": "answer", "status": 200, "body": json!(page).to_string(), "headers": headers });
    fleet.simulator.fault(json!([{ "on": "list", "page": 1, "times": 1, "do": answer }])).await;
}

fn a_list_that_is_about_to_be_another_one_is_asked_for_again_before_it_is_walked(on: On) {
    fleet(on, paged(), async |fleet: &Fleet| {
        first_page_is_old(fleet).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("list"), 7, "page 1 twice, the others once");
        assert!(!walked_again_within_days(fleet, 27).await, "it is of one piece");
        fleet.is_true().await;
    });
}

fn pages_that_were_made_at_different_times_are_walked_again_within_a_day(on: On) {
    fleet(on, paged().with("--list-ttl-seconds=1"), async |fleet: &Fleet| {
        let hold = json!([{ "on": "list", "page": 3, "do": { "kind": "hold" } }]);
        fleet.simulator.fault(hold).await;
        fleet.tick(&[]).await;
        let worker = (on == On::Services).then(|| fleet.worker(&["--drain"]).start());
        fleet.simulator.has_bitten("hold").await;
        fleet.lists_have_expired().await;
        fleet.simulator.heal().await;
        if let Some(worker) = worker {
            worker.ended().await.well();
        }
        fleet.drain().await;
        assert!(walked_again_within_days(fleet, 2).await);
        fleet.is_true().await;
        // The next walk goes to the end, although page 1 shows nothing new.
        fleet.database.execute("update character set full_walk_at = now()").await;
        fleet.simulator.reset_counters().await;
        fleet.make_due().await;
        fleet.lists_have_expired().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("list"), 6);
    });
}
