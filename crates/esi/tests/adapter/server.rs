//! A web server that answers as the test says and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use esi::{ClientAuth, Esi, Http, Sso, SsoSettings, TimeLimits};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

pub(crate) const CONTACT: &str = "ops@example.org";

#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

pub(crate) enum Reply {
    With(Response),
    /// The request is read and never answered.
    Never,
}

impl<R: IntoResponse> From<R> for Reply {
    fn from(response: R) -> Self {
        Self::With(response.into_response())
    }
}

pub(crate) struct Server {
    pub(crate) url: Url,
    received: Arc<Mutex<Vec<Received>>>,
    /// Ends the server with the test.
    _running: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        esi::install_crypto();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&received), Arc::new(script));
        let router = Router::new().fallback(move |request: Request| answer(request, Arc::clone(&log), script));
        let mut running = JoinSet::new();
        running.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, received, _running: running }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.received().into_iter().map(|received| received.path).collect()
    }

    pub(crate) fn esi(&self) -> Esi {
        Esi::build(http(), self.url.clone()).unwrap()
    }

    /// Endpoints from this server's discovery document.
    pub(crate) fn sso(&self) -> Sso {
        Sso::build(http(), self.sso_settings()).unwrap()
    }

    pub(crate) fn sso_with(&self, limits: TimeLimits) -> Sso {
        Sso::build(Http::build_with(CONTACT, limits).unwrap(), self.sso_settings()).unwrap()
    }

    pub(crate) fn sso_settings(&self) -> SsoSettings {
        SsoSettings {
            sso_url: self.url.clone(),
            token_url: None,
            jwks_url: None,
            authorize_url: None,
            validate_url: None,
            client_id: "client".to_owned(),
            client_auth: ClientAuth::Basic(SecretString::from("client-secret")),
        }
    }
}

async fn answer(
    request: Request,
    log: Arc<Mutex<Vec<Received>>>,
    script: Arc<impl Fn(&Received) -> Reply>,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let received = Received {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let reply = script(&received);
    log.lock().unwrap().push(received);
    match reply {
        Reply::With(response) => response,
        Reply::Never => std::future::pending().await,
    }
}

thread_local! {
    // To build a client is slow, because it reads the certificates of the system. A test is a thread and shares one.
    static HTTP: Http = Http::build(CONTACT).unwrap();
}

pub(crate) fn http() -> Http {
    HTTP.with(Http::clone)
}

/// Limits that a test can wait for, and that a busy machine can keep.
pub(crate) fn short_limits() -> TimeLimits {
    let short = Duration::from_secs(1);
    TimeLimits { connect: short, exchange: short, metadata: short, ..TimeLimits::default() }
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Reply::With(response.body(body.into()).unwrap())
}

pub(crate) fn json(status: u16, body: impl Into<Body>) -> Reply {
    reply(status, &[("content-type", "application/json")], body)
}

/// An address at which nothing listens.
pub(crate) async fn dead_address() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap()
}

/// A server that writes exactly this to its first connection, once it has the request, and hangs up.
pub(crate) async fn raw_answer(bytes: &'static str) -> (Url, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(connection.read_u8().await.unwrap());
        }
        connection.write_all(bytes.as_bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
    });
    (url, running)
}
