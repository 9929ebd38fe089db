//! What a worker says of itself over HTTP.

use reqwest::Client;
use serde_json::json;
use url::Url;

use crate::harness::{Fleet, Proxy, World, eventually, fleet, free_port};

struct Listener {
    client: Client,
    address: String,
}

impl Listener {
    /// None while nobody listens.
    async fn get(&self, path: &str) -> Option<(u16, String)> {
        let response = self.client.get(format!("http://{}{path}", self.address)).send().await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()?))
    }

    async fn comes_to(&self, path: &str, status: u16, words: &str) {
        eventually(&format!("{path} answers {status} with {words:?}"), async || {
            self.get(path).await.is_some_and(|(code, body)| code == status && body.contains(words))
        })
        .await;
    }
}

#[test]
fn it_is_ready_while_jobs_come_in_and_counts_them() {
    fleet(World::of(3, 12), async |fleet: &Fleet| {
        let mut broker = Url::parse(fleet.queues.url()).unwrap();
        let (host, port) = (broker.host_str().unwrap().to_owned(), broker.port().unwrap_or(5672));
        let proxy = Proxy::shut(format!("{host}:{port}")).await;
        broker.set_host(Some("127.0.0.1")).unwrap();
        broker.set_port(Some(proxy.address.port())).unwrap();
        let listener = Listener {
            client: Client::builder().no_proxy().build().unwrap(),
            address: format!("127.0.0.1:{}", free_port()),
        };
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
    fleet(World::of(3, 12), async |fleet: &Fleet| {
        let listener = Listener {
            client: Client::builder().no_proxy().build().unwrap(),
            address: format!("127.0.0.1:{}", free_port()),
        };
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
