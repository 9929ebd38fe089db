//! Asks a running simulator.

use anyhow::Context;
use reqwest::Url;

/// The body of a control route.
///
/// # Errors
/// When the simulator does not answer, or not with 200.
pub(super) async fn ask(url: &Url, path: &str) -> anyhow::Result<String> {
    // An error means that a provider is installed already, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().build().context("building the HTTP client")?;
    let address = url.join(path).with_context(|| format!("joining {path} to --url"))?;
    let response = client.get(address).send().await.context("asking the simulator")?;
    let response = response.error_for_status().context("asking the simulator")?;
    response.text().await.context("reading the simulator's answer")
}
