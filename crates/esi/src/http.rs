//! The one HTTP client: its limits, its name, and the single place where a request is sent and its answer read.
//!
//! Redirects are never followed: a redirected request would carry its token to an address that nobody checked, and
//! a doubled request costs a doubled budget. Proxies named by the environment are not used for the same reason:
//! where secrets go is decided by our settings and nothing else.

pub(crate) mod answer;
pub(crate) mod error_body;
pub(crate) mod headers;
pub(crate) mod redact;

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder, redirect};
use url::Url;

use crate::address::BuildError;
use crate::crypto::install_crypto;
use answer::RawAnswer;

/// How long things may take, and how long what EVE SSO says about itself is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// For the connection to stand. Default 5 s.
    pub connect: Duration,
    /// From sending a request to the last byte of its answer. ESI's own limit behind the scenes is about 10 s.
    /// Default 30 s.
    pub exchange: Duration,
    /// The same for the discovery document and the key set, which a refresh can do without. Default 5 s.
    pub metadata: Duration,
    /// A discovery document is asked for again after this. Default 5 min (CCP's own snippets).
    pub discovery_lives_for: Duration,
    /// After a failure to get the discovery document, and between two requests for the key set, at least this
    /// passes. Default 1 min.
    pub metadata_pause: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            exchange: Duration::from_secs(30),
            metadata: Duration::from_secs(5),
            discovery_lives_for: Duration::from_secs(300),
            metadata_pause: Duration::from_secs(60),
        }
    }
}

/// The client that [`crate::Esi`] and [`crate::Sso`] share. Cloning it shares its connections.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    limits: TimeLimits,
}

/// There is no answer: why, in words that hold no secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    pub(crate) why: String,
    /// The request may have reached the server.
    pub(crate) was_sent: bool,
}

impl Http {
    /// `contact` is how CCP reaches the operator, best an e-mail address (ESI documentation, "User-Agent").
    ///
    /// # Errors
    /// [`BuildError::Contact`] if it cannot stand in the header, [`BuildError::Client`] if TLS cannot be set up.
    pub fn build(contact: &str) -> Result<Self, BuildError> {
        Self::build_with(contact, TimeLimits::default())
    }

    /// As [`Http::build`], with other time limits.
    ///
    /// # Errors
    /// As [`Http::build`].
    pub fn build_with(contact: &str, limits: TimeLimits) -> Result<Self, BuildError> {
        install_crypto();
        let client = Client::builder()
            .user_agent(user_agent(contact)?)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(limits.connect)
            .timeout(limits.exchange)
            .gzip(true)
            .build()
            .map_err(BuildError::Client)?;
        Ok(Self { client, limits })
    }

    pub(crate) fn limits(&self) -> &TimeLimits {
        &self.limits
    }

    pub(crate) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    pub(crate) fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// Sends, and reads the answer to its end or to its bound.
    pub(crate) async fn exchange(&self, request: RequestBuilder) -> Result<RawAnswer, NoAnswer> {
        let response =
            request.send().await.map_err(|error| NoAnswer { why: in_words(&error), was_sent: !error.is_connect() })?;
        Ok(RawAnswer::read(response).await)
    }
}

/// `killfleet/<version> (<contact>; +<repository>)`.
fn user_agent(contact: &str) -> Result<HeaderValue, BuildError> {
    let contact = contact.trim();
    // The contact stands inside a comment of the header, which brackets and backslashes would end or alter.
    let fits = |character: char| matches!(character, ' '..='~') && !matches!(character, '(' | ')' | '\\');
    if contact.is_empty() || !contact.chars().all(fits) {
        return Err(BuildError::Contact);
    }
    let name = format!("killfleet/{} ({contact}; +{})", env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_REPOSITORY"));
    HeaderValue::from_str(&name).map_err(|_| BuildError::Contact)
}

/// What went wrong, with its deepest cause, and without the address (the caller knows what it asked for).
pub(crate) fn in_words(error: &reqwest::Error) -> String {
    let what = if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        return "no answer in time".to_owned();
    } else if error.is_body() || error.is_decode() {
        "the answer was cut off"
    } else {
        "the request failed"
    };
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    match cause {
        Some(cause) => redact::bounded(&format!("{what}: {cause}")),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contact_stands_in_the_user_agent() {
        let name = user_agent(" ops@example.org ").unwrap();
        let name = name.to_str().unwrap();
        assert!(name.starts_with("killfleet/") && name.contains(" (ops@example.org; +https://"), "{name}");
        for contact in ["", "  ", "a\nb", "a\u{7f}b", "jörg@example.org", "x) evil/1.0 (y", "back\\slash"] {
            assert!(matches!(Http::build(contact), Err(BuildError::Contact)), "{contact:?}");
        }
    }
}
