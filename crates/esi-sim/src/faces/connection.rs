//! Connections that can be closed without an answer.
//!
//! An HTTP library always answers. To break off, a handler marks its connection as cut; from then on every write to it
//! fails, and the library closes it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A listener whose connections can be cut.
#[derive(Debug)]
pub struct CuttableListener(TcpListener);

/// A TCP stream that refuses to write once it is cut.
#[derive(Debug)]
pub struct CuttableStream {
    stream: TcpStream,
    is_cut: Arc<AtomicBool>,
}

/// What a handler knows of its connection.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Where the caller is.
    pub remote: SocketAddr,
    is_cut: Arc<AtomicBool>,
}

impl CuttableListener {
    /// Makes the connections of a listener cuttable.
    #[must_use]
    pub fn over(listener: TcpListener) -> Self {
        Self(listener)
    }
}

impl Connection {
    /// From now on nothing is written any more.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
    }
}

impl Listener for CuttableListener {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (CuttableStream, SocketAddr) {
        let (stream, remote) = Listener::accept(&mut self.0).await;
        // Answers are small and the callers wait for them. A socket that refuses is only slower.
        let _ = stream.set_nodelay(true);
        (CuttableStream { stream, is_cut: Arc::default() }, remote)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        Self { remote: *stream.remote_addr(), is_cut: Arc::clone(&stream.io().is_cut) }
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
