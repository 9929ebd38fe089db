//! `killfleet-scheduler`: one tick and out, for cron; or a tick every so often.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use broker::{BrokerSettings, Publisher, QueuePrefix};
use clap::Parser;
use domain::CharacterId;
use domain::plan::TickSummary;
use scheduler::{Report, Scheduler, TickOptions, count};
use service::health::{self, Check};
use service::settings::{
    BrokerArgs, DatabaseArgs, ListenArgs, LogArgs, LogFormat, SettingError, TokenRulesArgs, names, parse_duration,
};
use service::{Exit, Process, Stop, classed};
use store::Store;
use store::due::DueFilter;
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
    /// Tick again after this long, until SIGTERM or SIGINT; without it, tick once and exit.
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    every: Option<Duration>,
    /// Also characters whose turn has not come by their tier. ESI's Expires is kept all the same.
    #[arg(long)]
    force: bool,
    /// Walk all pages of the lists, not only what is new.
    #[arg(long)]
    full: bool,
    /// Only this character.
    #[arg(long, value_name = "ID", value_parser = character_id)]
    character: Option<CharacterId>,
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
    listen: ListenArgs,
    #[command(flatten)]
    log: LogArgs,
}

fn interval(text: &str) -> Result<Duration, String> {
    let every = parse_duration(text).map_err(|error| error.to_string())?;
    if every < Duration::from_secs(1) { Err("the shortest interval is 1s".to_owned()) } else { Ok(every) }
}

fn character_id(text: &str) -> Result<CharacterId, String> {
    let id: i64 = text.parse().map_err(|_| "a character id is a number".to_owned())?;
    CharacterId::parse(id).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let process = Process { name: NAME, log: arguments.log.clone() };
    service::run(process, |stop| run(arguments, stop))
}

async fn run(arguments: Arguments, stop: Stop) -> anyhow::Result<Exit> {
    let format = arguments.log.resolve()?.format;
    let token_buffer = arguments.token_rules.resolve()?.buffer;
    let settings = arguments.broker.resolve()?;
    let queue_prefix = QueuePrefix::parse(&settings.queue_prefix)
        .map_err(|error| SettingError::malformed(names::QUEUE_PREFIX, "cannot be used", error.to_string()))?;
    let broker = BrokerSettings { amqp_url: settings.amqp_url, queue_prefix, connection_name: NAME.to_owned() };
    let publisher = Publisher::open(broker).map_err(|error| classed(error.failure()))?;
    let database_url = arguments.database.resolve_for_the_fleet()?;
    let listen = arguments.listen.resolve()?;

    let store = Store::connect(&database_url, NAME, CONNECTIONS).await.map_err(|error| classed(error.failure()))?;
    let scheduler = Scheduler { store: store.clone(), publisher: Arc::new(publisher), token_buffer };
    if let Some(character_id) = arguments.character
        && !store.has_character(character_id).await.map_err(|error| classed(error.failure()))?
    {
        anyhow::bail!("there is no character {character_id}: `killfleet character list` shows who is there");
    }
    let filter = DueFilter { force: arguments.force, full: arguments.full, character_id: arguments.character };
    let options = TickOptions { filter, dry_run: arguments.dry_run };

    let _listener = match listen {
        Some(address) => Some(health::listen(address, readiness(&store), stop.token()).await?),
        None => None,
    };
    let ticked = match arguments.every {
        None => tick(&scheduler, options, format, &stop.token()).await,
        Some(every) => {
            repeat(&scheduler, options, every, format, &stop).await;
            Ok(())
        }
    };
    scheduler.publisher.close().await;
    store.close().await;
    ticked.map(|()| Exit::Done)
}

/// The line is printed also for a tick that was broken off, if it has done something by then.
async fn tick(
    scheduler: &Scheduler,
    options: TickOptions,
    format: LogFormat,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let (summary, ended) = scheduler.tick(options, stop).await;
    if ended.is_ok() || summary != TickSummary::default() {
        print(format, &summary)?;
    }
    ended
}

/// A tick that fails is logged and tried again at the next turn: nothing that was due is lost by it.
async fn repeat(scheduler: &Scheduler, options: TickOptions, every: Duration, format: LogFormat, stop: &Stop) {
    let stopped = stop.token();
    while !stopped.is_cancelled() {
        if let Err(error) = tick(scheduler, options, format, &stopped).await {
            tracing::error!(reason = format!("{error:#}"), "the tick failed");
        }
        // Spread a little, so that several schedulers, and the requests that follow, do not come in waves.
        let pause = every.mul_f64(1.0 + 0.1 * (rand::random::<f64>() - 0.5));
        tokio::select! {
            () = stopped.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn print(format: LogFormat, summary: &TickSummary) -> anyhow::Result<()> {
    count(summary);
    let line = match format {
        LogFormat::Json => serde_json::to_string(summary)?,
        LogFormat::Text => Report(summary).to_string(),
    };
    Ok(service::print_line(&line)?)
}

fn readiness(
    store: &Store,
) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = Vec<Check>> + Send>> + Clone + Send + Sync + 'static {
    let store = store.clone();
    move || {
        let store = store.clone();
        Box::pin(async move {
            let database = store.now().await.map(|_| ()).map_err(|error| error.failure().reason);
            vec![Check { name: "database", result: database }]
        })
    }
}
