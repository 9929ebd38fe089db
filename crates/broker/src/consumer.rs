//! Consuming: sessions one after the other until the process is to stop.
//!
//! Whatever breaks a session, the answer is the same: log it, wait a little, build another. Only a first session that
//! the broker refuses for a reason in our settings is given up, so that a wrong password shows at once.

use std::sync::Arc;
use std::time::Duration;

use domain::{Delivered, FailureClass, Lane, Outcome};
use futures_util::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::error::{BrokerError, Chain};
use crate::jobs::{Ended, Jobs};
use crate::patience::Patience;
use crate::publisher::Publisher;
use crate::reconnect::Delays;
use crate::session::Session;
use crate::settings::BrokerSettings;
use crate::status::ConsumerStatus;
use crate::topology::Topology;
use crate::work::Work;

/// After a session that held this long, the delays before the next begin small again.
const HEALTHY: Duration = Duration::from_secs(5);

/// What to consume, how fast, and until when.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    pub broker: BrokerSettings,
    /// Each lane once.
    pub lanes: Vec<Lane>,
    /// Jobs of one lane that run at the same time; at least 1.
    pub concurrency_per_lane: usize,
    pub until: Until,
    /// For jobs in flight when the consumer is to stop.
    pub grace: Duration,
}

/// When a consumer that is not told to stop comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Never.
    Stopped,
    /// When all its lanes are empty and nothing of its own is in flight. Jobs that other workers hold do not count.
    QueuesEmpty,
}

/// Runs `handler` for every message of the lanes and does what its verdict says, until `stop` is cancelled or there
/// is nothing left to do. Follow-ups go out through `publisher`, which stays in use until this returns.
///
/// A handler has no time limit here; one that runs for longer than the broker's consumer time limit (half an hour
/// as RabbitMQ comes) loses its delivery.
///
/// # Errors
/// Only what a person has to mend ([`FailureClass::Configuration`]), and only before the first session stands.
pub async fn consume<H, F>(
    settings: ConsumerSettings,
    publisher: Arc<Publisher>,
    handler: H,
    status: ConsumerStatus,
    stop: CancellationToken,
) -> Result<Ended, BrokerError>
where
    H: Fn(Delivered) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    let settings = ConsumerSettings { concurrency_per_lane: settings.concurrency_per_lane.max(1), ..settings };
    let address = Address::parse(&settings.broker.amqp_url)?;
    let work = Work {
        handler: Arc::new(move |delivered| handler(delivered).boxed()),
        publisher,
        topology: Topology::of(settings.broker.queue_prefix.clone()),
        patience: Patience(stop.clone()),
    };
    let jobs = Jobs::with(work, &settings.lanes, settings.concurrency_per_lane);
    let last_session = sessions(&settings, &address, &jobs, &status, &stop).await?;
    // The connection stays open meanwhile: what finishes now is acknowledged on it.
    let ended = jobs.finish(settings.grace).await;
    if let Some(session) = last_session {
        session.close().await;
    }
    Ok(ended)
}

/// Returns when no more is to be taken, with the session that is still open.
async fn sessions(
    settings: &ConsumerSettings,
    address: &Address,
    jobs: &Jobs,
    status: &ConsumerStatus,
    stop: &CancellationToken,
) -> Result<Option<Session>, BrokerError> {
    let mut delays = Delays::from_the_start();
    let mut first = true;
    loop {
        let Some(started) = stop.run_until_cancelled(Session::start(settings, address)).await else { return Ok(None) };
        let error = match started {
            Ok(mut session) => {
                first = false;
                status.set_consuming(true);
                tracing::info!(lanes = ?settings.lanes, broker = address.shown(), "consuming");
                let began = Instant::now();
                let end = session.run(settings, jobs, stop).await;
                status.set_consuming(false);
                match end {
                    // The queues looked empty and were not quite: what we had just been sent is back in them.
                    Ok(1..) if !stop.is_cancelled() => {
                        session.close().await;
                        continue;
                    }
                    Ok(handed_back) => {
                        tracing::info!(handed_back, in_flight = jobs.in_flight(), "no more jobs are taken");
                        return Ok(Some(session));
                    }
                    Err(error) => {
                        status.count_lost_session();
                        if began.elapsed() >= HEALTHY {
                            delays = Delays::from_the_start();
                        }
                        error
                    }
                }
            }
            Err(error) if first && error.class() == FailureClass::Configuration => return Err(error),
            Err(error) => error,
        };
        let delay = delays.next_delay();
        tracing::warn!(error = %Chain(&error), retry_in_ms = delay.as_millis(), "no session with the broker");
        if stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
            return Ok(None);
        }
    }
}
