//! `killfleet-scheduler`: one tick and out, for cron; or a tick every so often.

mod hints;

use std::process::ExitCode;
use std::time::Duration;

use broker::{BrokerSettings, Publisher, QueuePrefix};
use clap::Parser;
use domain::plan::TickSummary;
use scheduler::{DueArgs, Room, Scheduler, TickOptions, Ticked, database_readiness, parse_interval, spread};
use service::health;
use service::settings::{
    BrokerArgs, CorporationsArgs, DatabaseArgs, ListenArgs, LogArgs, LogFormat, SettingError, TokenRulesArgs, names,
};
use service::{Exit, Process, Stop, classed};
use store::Store;
use tokio_util::sync::CancellationToken;

const NAME: &str = "killfleet-scheduler";
const CONNECTIONS: u32 = 2;

/// Queues the characters whose killmail list is due, and the killmails that are still wanted.
///
/// Prints one line for each tick: how many were due, how many were queued and where, how many were skipped and why.
/// Run it from cron, or leave it running with --every. Several at once do no harm.
#[derive(Parser)]
#[command(name = NAME, version)]
struct Arguments {
    /// Tick again after this long, until SIGTERM, SIGINT or SIGHUP; without it, tick once and exit.
    #[arg(long, value_name = "DURATION", value_parser = parse_interval)]
    every: Option<Duration>,
    #[command(flatten)]
    due: DueArgs,
    /// Print what would be queued, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    token_rules: TokenRulesArgs,
    #[command(flatten)]
    corporations: CorporationsArgs,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    log: LogArgs,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let process = Process { name: NAME, log: arguments.log.clone() };
    service::run(process, |stop| run(arguments, stop))
}

async fn run(arguments: Arguments, stop: Stop) -> anyhow::Result<Exit> {
    let format = arguments.log.resolve()?.format;
    let token_buffer = arguments.token_rules.resolve()?.buffer;
    let all_corporations = arguments.corporations.are_all()?;
    let settings = arguments.broker.resolve()?;
    let queue_prefix = QueuePrefix::parse(&settings.queue_prefix)
        .map_err(|error| SettingError::malformed(names::QUEUE_PREFIX, "cannot be used", error.to_string()))?;
    let broker = BrokerSettings { amqp_url: settings.amqp_url, queue_prefix, connection_name: NAME.to_owned() };
    let publisher = Publisher::open(broker).map_err(|error| classed(error.failure()))?;
    let database_url = arguments.database.resolve_for_the_fleet()?;
    let listen = arguments.listen.resolve()?;

    let store = Store::connect(&database_url, NAME, CONNECTIONS).await.map_err(|error| classed(error.failure()))?;
    let scheduler = Scheduler { store: store.clone(), token_buffer, all_corporations };
    let options = TickOptions { filter: arguments.due.filter(&store).await?, dry_run: arguments.dry_run };

    let _listener = match listen {
        Some(address) => Some(health::listen(address, database_readiness(&store), stop.token()).await?),
        None => None,
    };
    let ticked = match arguments.every {
        None => tick(&scheduler, &publisher, options, format, &stop.token()).await,
        Some(every) => {
            repeat(&scheduler, &publisher, options, every, format, &stop).await;
            Ok(())
        }
    };
    publisher.close().await;
    store.close().await;
    ticked.map(|()| Exit::Done)
}

/// The line is printed also for a tick that was broken off, if it has done something by then.
async fn tick(
    scheduler: &Scheduler,
    publisher: &Publisher,
    options: TickOptions,
    format: LogFormat,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let room = if options.dry_run { Room::endless() } else { hints::room(publisher).await? };
    let publish = async |jobs| hints::publish(publisher, jobs).await;
    let Ticked { summary, ended, .. } = scheduler.tick(options, room, publish, stop).await;
    if ended.is_ok() || summary != TickSummary::default() {
        scheduler::print(format, &summary)?;
    }
    ended
}

/// A tick that fails is logged and tried again at the next turn: nothing that was due is lost by it.
async fn repeat(
    scheduler: &Scheduler,
    publisher: &Publisher,
    options: TickOptions,
    every: Duration,
    format: LogFormat,
    stop: &Stop,
) {
    let stopped = stop.token();
    while !stopped.is_cancelled() {
        if let Err(error) = tick(scheduler, publisher, options, format, &stopped).await {
            tracing::error!(reason = format!("{error:#}"), "the tick failed");
        }
        tokio::select! {
            () = stopped.cancelled() => {}
            () = tokio::time::sleep(spread(every)) => {}
        }
    }
}
