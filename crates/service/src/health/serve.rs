//! Connections with an end: nobody keeps one by being slow, and there are never more than so many.
//!
//! A connection serves one request. So one limit bounds all of it, whatever it is that does not come: the body of the
//! request, our answer, or a reader for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// What whoever connects is granted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For the head of a request, from the connection on.
    head: Duration,
    /// From the connection on to the end of the answer.
    connection: Duration,
    /// Beyond these, new connections wait.
    connections_at_once: usize,
}

/// No route of ours takes longer than half of this to answer.
pub(super) const LIMITS: Limits =
    Limits { head: Duration::from_secs(10), connection: Duration::from_secs(60), connections_at_once: 256 };

/// Never returns. When it is dropped nobody is let in any more; requests that are being answered are not cut by that.
pub(super) async fn serve(mut listener: TcpListener, router: Router, limits: Limits) {
    // HTTP/1 alone: finding out which version it is would wait for the first bytes without a limit.
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(limits.head).keep_alive(false);
    let places = Arc::new(Semaphore::new(limits.connections_at_once));
    let connections = TaskTracker::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        // axum's: what cannot be accepted is tried again after a pause.
        let (stream, _) = Listener::accept(&mut listener).await;
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service).into_owned();
        connections.spawn(async move {
            // However it ended, and whoever ended it: there is nobody to tell.
            let _ = timeout(limits.connection, connection).await;
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use axum::body::Bytes;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::watch;
    use tokio::task::JoinSet;

    use super::*;

    const SHORT: Duration = Duration::from_millis(150);
    const LONG: Duration = Duration::from_secs(60);
    const GENEROUS: Limits = Limits { head: LONG, connection: LONG, connections_at_once: 100 };
    const REQUEST: &str = "GET /held HTTP/1.1\r\nhost: here\r\n\r\n";

    /// `/held` answers once it is let go, `/body` when it has the body.
    struct Server {
        address: SocketAddr,
        /// Requests that are in the handler of `/held`.
        inside: watch::Receiver<usize>,
        let_go: Arc<Semaphore>,
        serving: JoinSet<()>,
    }

    impl Server {
        async fn start(limits: Limits) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (count, inside) = watch::channel(0);
            let let_go = Arc::new(Semaphore::new(0));
            let held = {
                let let_go = Arc::clone(&let_go);
                move || async move {
                    count.send_modify(|inside| *inside += 1);
                    let_go.acquire().await.unwrap().forget();
                    count.send_modify(|inside| *inside -= 1);
                }
            };
            let router = Router::new().route("/held", get(held)).route("/body", post(async |_: Bytes| {}));
            let mut serving = JoinSet::new();
            serving.spawn(serve(listener, router, limits));
            Self { address, inside, let_go, serving }
        }

        async fn send(&self, bytes: &str) -> TcpStream {
            let mut client = TcpStream::connect(self.address).await.unwrap();
            client.write_all(bytes.as_bytes()).await.unwrap();
            client
        }
    }

    /// All that comes until the connection is closed.
    async fn received(mut client: TcpStream) -> String {
        let mut received = String::new();
        // Closed by a reset if there was something that it has not read.
        let _ = client.read_to_string(&mut received).await;
        received
    }

    async fn in_time<Output>(test: impl Future<Output = Output>) -> Output {
        timeout(LONG / 2, test).await.expect("it comes to an end")
    }

    #[tokio::test]
    async fn half_a_request_or_none_is_closed_in_time_without_an_answer() {
        let server = Server::start(Limits { head: SHORT, ..GENEROUS }).await;
        for half in ["", "GET", "GET /held HTTP/1.1\r\nhost: he", "POST /body HTTP/1.1\r\n"] {
            let since = Instant::now();
            let client = server.send(half).await;
            assert_eq!(in_time(received(client)).await, "", "{half:?}");
            assert!(since.elapsed() >= SHORT, "{half:?}");
        }
    }

    #[tokio::test]
    async fn neither_a_slow_body_nor_a_slow_answer_lasts_for_ever() {
        let server = Server::start(Limits { connection: SHORT, ..GENEROUS }).await;
        for request in ["POST /body HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\na", REQUEST] {
            let since = Instant::now();
            let client = server.send(request).await;
            assert_eq!(in_time(received(client)).await, "", "{request:?}");
            assert!(since.elapsed() >= SHORT, "{request:?}");
        }
    }

    #[tokio::test]
    async fn whoever_is_one_too_many_is_served_when_another_is_through() {
        let mut server = Server::start(Limits { connections_at_once: 3, ..GENEROUS }).await;
        let mut clients = JoinSet::new();
        for _ in 0..8 {
            clients.spawn(received(server.send(REQUEST).await));
        }
        for served in 1..=8 {
            // The places of those that were served are taken again, and no other.
            let expected = 3.min(9 - served);
            in_time(server.inside.wait_for(|inside| *inside == expected)).await.unwrap();
            server.let_go.add_permits(1);
            let answer = in_time(clients.join_next()).await.unwrap().unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("connection: close\r\n"), "{answer}");
            assert!(*server.inside.borrow() <= 3);
        }
    }

    #[tokio::test]
    async fn a_request_in_hand_is_answered_after_the_address_is_closed() {
        let mut server = Server::start(GENEROUS).await;
        let client = server.send(REQUEST).await;
        in_time(server.inside.wait_for(|inside| *inside == 1)).await.unwrap();
        server.serving.shutdown().await;
        assert!(TcpStream::connect(server.address).await.is_err(), "nobody is let in any more");
        server.let_go.add_permits(1);
        assert!(in_time(received(client)).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}
