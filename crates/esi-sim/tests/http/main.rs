//! The simulator through real HTTP, in this process and as the built binary.

#![expect(clippy::unwrap_used, reason = "a test that meets an error shall end; the functions here serve tests only")]

mod binary;
mod corporations;
mod faults;
mod login;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use esi_sim::clock;
use esi_sim::faces;
use esi_sim::faces::simulator::Simulator;
use esi_sim::model::world::WorldSize;
use esi_sim::model::{Model, Settings};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A simulator on a port of its own; it ends when this is dropped.
struct Sim {
    url: String,
    client: Client,
    _server: JoinSet<()>,
}

impl Sim {
    async fn start(settings: Settings) -> Self {
        let size = WorldSize { characters: 5, killmails: 40, real_killmails: true };
        let simulator = Arc::new(Simulator::of(Model::begin(clock::now(), settings, 1, size), false));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move { faces::serve(listener, simulator, std::future::pending()).await.unwrap() });
        Self { url, client: client(), _server: server }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    fn refresh(&self, refresh_token: &str) -> RequestBuilder {
        self.client
            .post(format!("{}/v2/oauth/token", self.url))
            .basic_auth("sim-client", Some("sim-secret"))
            .form(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).send().await.unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &str) -> Response {
        self.client.post(format!("{}{path}", self.url)).body(body.to_owned()).send().await.unwrap()
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> u16 {
        let request = self.client.request(method, format!("{}{path}", self.url)).json(&body);
        request.send().await.unwrap().status().as_u16()
    }

    async fn put_faults(&self, faults: &str) {
        let request = self.client.put(format!("{}/sim/faults", self.url)).body(faults.to_owned());
        assert_eq!(request.send().await.unwrap().status(), 204);
    }

    async fn remove_faults(&self) {
        assert_eq!(self.client.delete(format!("{}/sim/faults", self.url)).send().await.unwrap().status(), 204);
    }

    /// Asks the counters until they are as wanted.
    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        let wait = async {
            while !is_so(&self.json("/sim/counters").await) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("waited for: {what}"));
    }

    /// Id and refresh token of a character.
    async fn character(&self, index: usize) -> (i64, String) {
        let character = &self.json("/sim/characters").await[index];
        (character["character_id"].as_i64().unwrap(), character["refresh_token"].as_str().unwrap().to_owned())
    }

    async fn access_token(&self, refresh_token: &str) -> String {
        let answer: Value = self.refresh(refresh_token).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

fn client() -> Client {
    // An error means that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().user_agent("esi-sim-tests/1").build().unwrap()
}
