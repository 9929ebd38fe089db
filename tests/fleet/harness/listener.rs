//! What a process says of itself over HTTP.

use reqwest::{Client, RequestBuilder};

use super::wait::{eventually, free_port};

pub(crate) struct Listener {
    client: Client,
    /// For `KILLFLEET_LISTEN`.
    pub(crate) address: String,
}

impl Listener {
    /// At a free port, where nobody listens yet.
    pub(crate) fn somewhere() -> Self {
        // A new connection each time: one whose request was refused for its size is closed by the server at any moment.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { client, address: format!("127.0.0.1:{}", free_port()) }
    }

    /// None while nobody listens.
    pub(crate) async fn get(&self, path: &str) -> Option<(u16, String)> {
        let response = self.client.get(format!("http://{}{path}", self.address)).send().await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()?))
    }

    /// Asks for an access token; a test says with what.
    pub(crate) fn token_request(&self, character_id: i64) -> RequestBuilder {
        self.client.post(format!("http://{}/v1/token/{character_id}", self.address))
    }

    pub(crate) async fn comes_to(&self, path: &str, status: u16, words: &str) {
        eventually(&format!("{path} answers {status} with {words:?}"), async || {
            self.get(path).await.is_some_and(|(code, body)| code == status && body.contains(words))
        })
        .await;
    }
}
