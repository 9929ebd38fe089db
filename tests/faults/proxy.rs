//! The way of one process to one server, which a fault can cut, shut, slow down, or stop at a chosen message.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::sign::{Catch, Sign};

const BUFFER_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Whoever connects is hung up on at once.
    Refuse,
    /// Nothing arrives in either direction, the end of a connection neither. What was sent meanwhile arrives afterwards.
    BlackHole,
    /// Everything arrives so much later.
    Delay(Duration),
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    ways: Ways,
    /// Aborted when dropped.
    _task: JoinSet<()>,
}

/// What all connections look at.
#[derive(Clone)]
struct Ways {
    mode: watch::Sender<Mode>,
    /// How often everything was cut.
    cuts: watch::Sender<u64>,
    trap: Arc<Mutex<Option<Trap>>>,
}

struct Trap {
    sign: Sign,
    /// So many go by first.
    let_pass: u32,
    catch: Catch,
    caught: oneshot::Sender<()>,
}

impl Proxy {
    /// `target` is host and port.
    pub(crate) async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ways = Ways { mode: watch::Sender::new(Mode::Pass), cuts: watch::Sender::new(0), trap: Arc::default() };
        let mut task = JoinSet::new();
        task.spawn(accept(listener, target, ways.clone()));
        Self { address, ways, _task: task }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.ways.mode.send_replace(mode);
    }

    /// Closes every connection that there is.
    pub(crate) fn cut(&self) {
        self.ways.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// The next message with this sign, after `let_pass` others, is caught; what comes back tells when.
    pub(crate) fn trap(&self, sign: Sign, let_pass: u32, catch: Catch) -> oneshot::Receiver<()> {
        let (caught, is_caught) = oneshot::channel();
        let trap = Trap { sign, let_pass, catch, caught };
        *self.ways.trap.lock().unwrap_or_else(PoisonError::into_inner) = Some(trap);
        is_caught
    }
}

async fn accept(listener: TcpListener, target: String, ways: Ways) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if *ways.mode.borrow() != Mode::Refuse {
            connections.spawn(pass(client, target.clone(), ways.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn pass(client: TcpStream, target: String, ways: Ways) {
    let mut cuts = ways.cuts.subscribe();
    let passing = async {
        ways.opens().await;
        let Ok(server) = TcpStream::connect(target).await else { return };
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let kept_answer = Mutex::default();
        let questions = pass_questions(from_client, to_server, &ways, &kept_answer);
        let answers = pass_answers(from_server, to_client, &ways, &kept_answer);
        tokio::join!(questions, answers);
    };
    tokio::select! {
        () = passing => {}
        _ = cuts.changed() => {}
    }
}

/// Who is to be told that the answer to what was caught is here, and stays here.
type KeptAnswer = Mutex<Option<oneshot::Sender<()>>>;

async fn pass_questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, ways: &Ways, kept_answer: &KeptAnswer) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Some(bytes) = ways.next(&mut from, &mut buffer).await {
        let mut gone_by = None;
        match ways.catch(bytes) {
            Some((Catch::Hold, caught)) => {
                let _ = caught.send(());
                return std::future::pending().await;
            }
            Some((Catch::KeepAnswer, caught)) => {
                *kept_answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(caught);
            }
            Some((Catch::LetGoBy, caught)) => gone_by = Some(caught),
            None => {}
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
        if let Some(caught) = gone_by {
            let _ = caught.send(());
        }
    }
    let _ = to.shutdown().await;
}

async fn pass_answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, ways: &Ways, kept_answer: &KeptAnswer) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Some(bytes) = ways.next(&mut from, &mut buffer).await {
        let caught = kept_answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(caught) = caught {
            let _ = caught.send(());
            return std::future::pending().await;
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

impl Ways {
    /// Waits while nothing arrives.
    async fn opens(&self) {
        let mut mode = self.mode.subscribe();
        mode.wait_for(|mode| *mode != Mode::BlackHole).await.expect("we hold the sender");
    }

    /// What comes next, when it may arrive; None at the end of the connection.
    async fn next<'bytes>(&self, from: &mut OwnedReadHalf, buffer: &'bytes mut [u8]) -> Option<&'bytes [u8]> {
        let length = from.read(buffer).await.unwrap_or(0);
        let mode = *self.mode.borrow();
        if let Mode::Delay(delay) = mode {
            sleep(delay).await;
        }
        self.opens().await;
        (length > 0).then_some(&buffer[..length])
    }

    /// Whether these bytes are what the trap waits for. A message of the kind that is waited for is short and sent at
    /// once, so it lies within one piece.
    fn catch(&self, bytes: &[u8]) -> Option<(Catch, oneshot::Sender<()>)> {
        let mut trap = self.trap.lock().unwrap_or_else(PoisonError::into_inner);
        let set = trap.as_mut()?;
        if !set.sign.is_in(bytes) {
            return None;
        }
        if set.let_pass > 0 {
            set.let_pass -= 1;
            return None;
        }
        trap.take().map(|trap| (trap.catch, trap.caught))
    }
}
