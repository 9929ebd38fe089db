//! A way to the broker that the test can cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::fixture::amqp_url;

/// What the proxy does with connections, those that stand and those that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// What stands is cut; what comes is accepted and closed at once, as a front does whose broker is away.
    Closed,
    /// What comes is accepted and never hears a word.
    Silent,
}

pub(crate) struct Proxy {
    port: u16,
    way: watch::Sender<Way>,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(way: Way) -> Self {
        let target = Url::parse(&amqp_url()).unwrap();
        let target = (target.host_str().unwrap().to_owned(), target.port().unwrap_or(5672));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (way, seen) = watch::channel(way);
        let connections = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target, seen, connections.clone()));
        Self { port, way, connections, _tasks: tasks }
    }

    /// The address of the broker, with the proxy in between.
    pub(crate) fn url(&self) -> String {
        let mut url = Url::parse(&amqp_url()).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Cuts what stands; what comes next goes through.
    pub(crate) fn cut(&self) {
        self.way.send_replace(Way::Open);
    }

    /// Connections that came, whatever was done with them.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, target: (String, u16), way: watch::Receiver<Way>, count: Arc<AtomicUsize>) {
    let mut pipes = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        count.fetch_add(1, Ordering::SeqCst);
        // Cloned here, so that the way of this connection is marked as seen when the connection came.
        let mut changes = way.clone();
        let way = *changes.borrow_and_update();
        let target = target.clone();
        pipes.spawn(async move {
            tokio::select! {
                () = pipe(client, target, way) => {}
                _ = changes.changed() => {}
            }
        });
    }
}

async fn pipe(mut client: TcpStream, target: (String, u16), way: Way) {
    match way {
        Way::Closed => {}
        Way::Silent => std::future::pending().await,
        Way::Open => {
            if let Ok(mut server) = TcpStream::connect(target).await {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        }
    }
}
