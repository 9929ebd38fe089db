//! `killfleet-worker`: takes jobs from its lanes until it is told to stop, or until nothing is left.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use broker::{BrokerSettings, ConsumerSettings, ConsumerStatus, Ended, Publisher, QueuePrefix, Until, consume};
use clap::Parser;
use domain::Lane;
use esi::Esi;
use service::health::{self, Check};
use service::settings::{
    BrokerArgs, ListenArgs, LogArgs, SettingError, TiersArgs, TokenApiArgs, names, parse_duration,
};
use service::{Exit, Process, Stop, classed};
use store::Store;
use worker::settings::{Joined, RefreshArgs};
use worker::{Pace, Pauses, Worker, token_api};

const NAME: &str = "killfleet-worker";

/// Refreshes tokens, walks killmail lists, fetches and stores killmails.
///
/// Every setting is a flag and an environment variable. SIGTERM, SIGINT and SIGHUP stop it in two steps: it takes no more
/// work, finishes what it has, and exits with 0 (with 1 if the grace time ran out); a second signal cuts.
#[derive(Parser)]
#[command(name = NAME, version)]
struct Arguments {
    /// The lanes to work in, separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = lane, default_value = "list,detail,refresh")]
    lanes: Vec<Lane>,
    /// Jobs of each lane at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// Work until the queues of the lanes are empty, then exit with 0.
    #[arg(long)]
    drain: bool,
    /// How long jobs in hand may take after a signal to stop.
    #[arg(long, default_value = "25s", value_parser = parse_duration)]
    grace: Duration,
    #[command(flatten)]
    refresh: RefreshArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    tiers: TiersArgs,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    token_api: TokenApiArgs,
    #[command(flatten)]
    log: LogArgs,
}

fn lane(name: &str) -> Result<Lane, String> {
    Lane::from_name(name.trim()).ok_or_else(|| "the lanes are list, detail and refresh".to_owned())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let process = Process { name: NAME, log: arguments.log.clone() };
    service::run(process, |stop| run(arguments, stop))
}

async fn run(arguments: Arguments, stop: Stop) -> anyhow::Result<Exit> {
    let mut lanes = arguments.lanes.clone();
    lanes.sort_unstable();
    lanes.dedup();
    let broker = broker_settings(&arguments.broker)?;
    let tiers = arguments.tiers.resolve()?;
    let listen = arguments.listen.resolve()?;
    let token_api = arguments.token_api.resolve(listen)?;
    // A job holds a connection only while it talks to the database; two more are for readiness and for slow moments.
    let connections = u32::from(arguments.concurrency) * u32::try_from(lanes.len())? + 2;
    let database_url = arguments.refresh.database.resolve_for_the_fleet()?;
    let Joined { refresher, http, esi: esi_settings, token_buffer } =
        arguments.refresh.join(&database_url, NAME, connections).await?;
    let esi = Esi::build(http, esi_settings.esi_url).map_err(|error| classed(error.failure()))?;
    let store = refresher.store().clone();
    let worker = Arc::new(Worker {
        refresher: refresher.clone(),
        esi,
        token_buffer,
        tiers,
        pauses: Pauses::with(esi_settings.downtime),
        pace: Pace::default(),
        speaks_for_fleet: true,
    });
    let status = ConsumerStatus::default();
    let _listener = match listen {
        Some(address) => {
            let routes = token_api::routes(&worker, token_api, &stop.token());
            Some(health::listen_with(address, readiness(&store, &status), routes, stop.token()).await?)
        }
        None => {
            token_api::warn_if_nowhere(token_api.as_ref());
            None
        }
    };

    let publisher = Publisher::open(broker.clone()).map_err(|error| classed(error.failure()))?;
    let publisher = Arc::new(publisher);
    let settings = ConsumerSettings {
        broker,
        lanes,
        concurrency_per_lane: usize::from(arguments.concurrency),
        until: if arguments.drain { Until::QueuesEmpty } else { Until::Stopped },
        grace: arguments.grace,
    };
    let stopped = stop.token();
    let watching = Arc::clone(&worker);
    let handler = move |delivered| worker::handle(Arc::clone(&worker), delivered, stopped.clone());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "killfleet-worker starts");
    let _ = stop.token().run_until_cancelled(watching.look_at_esi()).await;
    let ended = tokio::select! {
        ended = consume(settings, Arc::clone(&publisher), handler, status, stop.token()) => ended,
        never = watching.watch_esi() => match never {},
    };
    publisher.close().await;
    // However it ended: siblings may have asked for a refresh too.
    refresher.finish().await;
    match ended.map_err(|error| classed(error.failure()))? {
        Ended::Drained => {
            store.close().await;
            Ok(Exit::Done)
        }
        Ended::GraceRanOut { jobs_left } => {
            tracing::error!(
                jobs_left,
                "jobs are cut: their messages are delivered again, and go on where the rows say"
            );
            Ok(Exit::GraceRanOut)
        }
    }
}

fn broker_settings(arguments: &BrokerArgs) -> anyhow::Result<BrokerSettings> {
    let settings = arguments.resolve()?;
    let queue_prefix = QueuePrefix::parse(&settings.queue_prefix)
        .map_err(|error| SettingError::malformed(names::QUEUE_PREFIX, "cannot be used", error.to_string()))?;
    Ok(BrokerSettings { amqp_url: settings.amqp_url, queue_prefix, connection_name: NAME.to_owned() })
}

fn readiness(
    store: &Store,
    status: &ConsumerStatus,
) -> impl Fn() -> BoxFuture<Vec<Check>> + Clone + Send + Sync + 'static {
    let (store, status) = (store.clone(), status.clone());
    move || {
        let (store, status) = (store.clone(), status.clone());
        Box::pin(async move {
            let database = store.now().await.map(|_| ()).map_err(|error| error.failure().reason);
            let broker = if status.is_consuming() { Ok(()) } else { Err("no jobs are coming in".to_owned()) };
            vec![Check { name: "database", result: database }, Check { name: "broker", result: broker }]
        })
    }
}

type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
