//! Where the browser comes back to: one address on this machine, for as long as the login takes. What it was sent back with
//! may also be pasted.

use std::io::BufRead;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use service::ConfigurationError;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::page::Page;

/// A browser has its page long before.
const CLOSING_LIMIT: Duration = Duration::from_secs(3);
/// More than anybody sends by mistake.
const WAITING_MAX: usize = 16;

pub(super) struct Callbacks {
    url: Url,
    sender: mpsc::Sender<Callback>,
    received: mpsc::Receiver<Callback>,
    closing: CancellationToken,
    /// Aborted when dropped.
    serving: JoinSet<()>,
}

/// Somebody came back.
pub(super) struct Callback {
    query: String,
    /// Waits for its page; none for a pasted address.
    browser: Option<oneshot::Sender<Page>>,
}

impl Callbacks {
    pub(super) async fn listen(port: u16) -> anyhow::Result<Self> {
        let url = Url::parse(&format!("http://{}:{port}/callback", Ipv4Addr::LOCALHOST))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
            let line =
                format!("--port {port} cannot be listened on ({error}): give another, and register its callback");
            ConfigurationError::new(line)
        })?;
        let (sender, received) = mpsc::channel(WAITING_MAX);
        let router = Router::new().route(url.path(), any(come_back)).with_state(sender.clone());
        let closing = CancellationToken::new();
        let serving = axum::serve(listener, router).with_graceful_shutdown(closing.clone().cancelled_owned());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Never fails: a connection that cannot be accepted is tried again after a pause.
            let _ = serving.await;
        });
        Ok(Self { url, sender, received, closing, serving: tasks })
    }

    /// What EVE SSO has to send the browser back to.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Lines of standard input count too. The thread ends with the process, or with its input.
    pub(super) fn read_pasted(&self) {
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok).filter(|line| !line.trim().is_empty()) {
                let callback = Callback { query: query_of(&line).to_owned(), browser: None };
                if sender.blocking_send(callback).is_err() {
                    break;
                }
            }
        });
    }

    pub(super) async fn next(&mut self) -> Callback {
        self.received.recv().await.expect("a sender of our own keeps the channel open")
    }

    /// Whoever waits for a page gets it first.
    pub(super) async fn close(mut self) {
        drop(self.received);
        self.closing.cancel();
        let _ = tokio::time::timeout(CLOSING_LIMIT, self.serving.join_next()).await;
    }
}

impl Callback {
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// The end of the login. Who has pasted reads it as the end of the command.
    pub(super) fn answer(self, page: Page) {
        if let Some(browser) = self.browser {
            // A browser that has gone away needs no page.
            let _ = browser.send(page);
        }
    }

    /// It was not for us, and the login goes on.
    pub(super) fn turned_away(self, why: &str) {
        match self.browser {
            Some(_) => self.answer(Page::bad(why)),
            None => eprintln!("This is not taken: {why}. The login still waits:"),
        }
    }
}

async fn come_back(
    State(sender): State<mpsc::Sender<Callback>>,
    method: Method,
    RawQuery(query): RawQuery,
) -> Response {
    // Whoever only looks ahead, such as a link preview, must not use up the code.
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let (browser, page) = oneshot::channel();
    let callback = Callback { query: query.unwrap_or_default(), browser: Some(browser) };
    let page = match sender.send(callback).await {
        Ok(()) => page.await.ok(),
        Err(_) => None,
    };
    page.unwrap_or_else(|| Page::bad("this login has ended")).into_response()
}

/// The query of an address, or what was pasted itself.
fn query_of(pasted: &str) -> &str {
    let pasted = pasted.trim();
    let query = pasted.split_once('?').map_or(pasted, |(_, query)| query);
    query.split_once('#').map_or(query, |(query, _)| query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_its_query_may_be_pasted() {
        for pasted in [
            " http://127.0.0.1:8721/callback?code=a&state=b \r",
            "code=a&state=b",
            "?code=a&state=b#",
            "x?code=a&state=b#y",
        ] {
            assert_eq!(query_of(pasted), "code=a&state=b", "{pasted:?}");
        }
    }
}
