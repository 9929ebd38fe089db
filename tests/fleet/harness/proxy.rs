//! A way to a server that is shut until the test opens it.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    open: watch::Sender<bool>,
    /// Aborted when dropped.
    _task: JoinSet<()>,
}

impl Proxy {
    /// Accepts connections at once and passes nothing on. `target` is host and port.
    pub(crate) async fn shut(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = watch::Sender::new(false);
        let mut task = JoinSet::new();
        let mut opened = open.subscribe();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                if opened.wait_for(|open| *open).await.is_err() {
                    return;
                }
                let target = target.clone();
                connections.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(target).await {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { address, open, _task: task }
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}
