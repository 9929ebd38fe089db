//! What a worker says of itself over HTTP.

use serde_json::json;
use url::Url;

use crate::harness::{Fleet, Listener, On, Proxy, World, fleet};

#[test]
fn it_is_ready_while_jobs_come_in_and_counts_them() {
    fleet(On::Services, World::of(3, 12), async |fleet: &Fleet| {
        let mut broker = Url::parse(fleet.queues().url()).unwrap();
        let (host, port) = (broker.host_str().unwrap().to_owned(), broker.port().unwrap_or(5672));
        let proxy = Proxy::shut(format!("{host}:{port}")).await;
        broker.set_host(Some("127.0.0.1")).unwrap();
        broker.set_port(Some(proxy.address.port())).unwrap();
        let listener = Listener::somewhere();
        fleet.tick(&[]).await;
        fleet.drain_lane("list").await;
        let (_, killmail_ids) = fleet.busiest().await;
        let hold = json!([{ "on": "detail", "killmail_id": killmail_ids[0], "do": { "kind": "hold" } }]);
        fleet.simulator.fault(hold).await;

        let worker = fleet
            .worker(&[])
            .set("KILLFLEET_AMQP_URL", broker.as_str())
            .set("KILLFLEET_LISTEN", &*listener.address)
            .start();
        listener.comes_to("/healthz", 200, "alive").await;
        listener.comes_to("/readyz", 503, "no jobs are coming in").await;
        proxy.open();
        listener.comes_to("/readyz", 200, "ready").await;
        fleet.simulator.has_bitten("hold").await;
        worker.signal("TERM");
        listener.comes_to("/readyz", 503, "stopping").await;
        assert_eq!(listener.get("/healthz").await.map(|(code, _)| code), Some(200), "alive while it drains");
        fleet.simulator.heal().await;
        worker.ended().await.well();

        fleet.drain().await;
        fleet.is_true().await;
    });
}

#[test]
fn metrics_tell_of_the_work() {
    fleet(On::Services, World::of(3, 12), async |fleet: &Fleet| {
        let listener = Listener::somewhere();
        fleet.let_tokens_expire().await;
        let worker = fleet.worker(&[]).set("KILLFLEET_LISTEN", &*listener.address).start();
        listener.comes_to("/readyz", 200, "ready").await;
        fleet.tick(&[]).await;
        let stored = fleet.simulator.truth().await.killmails.len();
        listener.comes_to("/metrics", 200, &format!("killfleet_killmails_stored_total {stored}")).await;
        listener.comes_to("/metrics", 200, r#"killfleet_jobs_total{kind="sync_list",verdict="done"} 3"#).await;
        listener.comes_to("/metrics", 200, r#"killfleet_jobs_total{kind="refresh_token",verdict="done"} 3"#).await;
        listener.comes_to("/metrics", 200, r#"killfleet_token_refreshes_total{result="granted"} 3"#).await;
        let (_, metrics) = listener.get("/metrics").await.expect("it listens");
        assert!(!metrics.contains("eyJ") && !metrics.contains("Pilot"), "{metrics}");
        worker.signal("TERM");
        worker.ended().await.well();
        fleet.is_true().await;

        let scheduler = fleet.scheduler(&["--every", "1h"]).set("KILLFLEET_LISTEN", &*listener.address).start();
        listener.comes_to("/readyz", 200, "ready").await;
        listener.comes_to("/metrics", 200, "killfleet_tick_queued_total").await;
        scheduler.signal("TERM");
        scheduler.ended().await.well();
    });
}
