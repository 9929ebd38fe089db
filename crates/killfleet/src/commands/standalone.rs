//! `killfleet standalone`: the whole fleet in one process, with its database in a file.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use esi::Esi;
use scheduler::{DueArgs, database_readiness, parse_interval};
use secrecy::SecretString;
use service::health;
use service::settings::{
    CorporationsArgs, DatabaseAddress, ListenArgs, LogArgs, LogFormat, TiersArgs, TokenApiArgs, parse_duration,
};
use service::{Exit, Stop, classed};
use store::Store;
use worker::settings::{Joined, RefreshArgs};
use worker::{Pace, Pauses, Worker, token_api};

use super::{alone, from_store};
use crate::NAME;
use crate::moved::refuse_moved;
use crate::standalone::{Ended, Engine, EngineSettings, Screen, Until};

#[derive(Args)]
pub(crate) struct Arguments {
    /// How often to look for what is due.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_interval)]
    every: Duration,
    #[command(flatten)]
    due: DueArgs,
    /// Look once, work until nothing is left to do, then exit with 0.
    #[arg(long)]
    drain: bool,
    /// Jobs of each of the three lanes (lists, bodies, refreshes) at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// How long what is in hand may take after a signal to stop; a token call that is under way gets 45 s more.
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = parse_duration)]
    grace: Duration,
    #[command(flatten)]
    refresh: RefreshArgs,
    #[command(flatten)]
    tiers: TiersArgs,
    #[command(flatten)]
    corporations: CorporationsArgs,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    token_api: TokenApiArgs,
}

pub(crate) async fn run(arguments: Arguments, log: &LogArgs, stop: Stop) -> anyhow::Result<Exit> {
    let format = log.resolve()?.format;
    let file = arguments.refresh.database.resolve_file()?;
    let tiers = arguments.tiers.resolve()?;
    let all_corporations = arguments.corporations.are_all()?;
    let listen = arguments.listen.resolve()?;
    let token_api = arguments.token_api.resolve(listen)?;
    let settings = arguments.refresh.resolve()?;

    // Until the end, and before anything looks into the file.
    let _alone = alone(&file)?;
    // A job holds a connection only while it talks to the database; two more are for readiness and for slow moments.
    let connections = u32::from(arguments.concurrency) * 3 + 2;
    let store = open(&DatabaseAddress::Sqlite(file.clone()).url(), connections).await?;
    let filter = arguments.due.filter(&store).await?;
    let Joined { refresher, http, esi: esi_settings, token_buffer } = settings.join(store.clone());
    let esi = Esi::build(http, esi_settings.esi_url).map_err(|error| classed(error.failure()))?;
    let worker = Arc::new(Worker {
        refresher,
        esi,
        token_buffer,
        tiers,
        pauses: Pauses::with(esi_settings.downtime),
        pace: Pace::default(),
        speaks_for_fleet: true,
    });
    let _listener = match listen {
        Some(address) => {
            let routes = token_api::routes(&worker, token_api, &stop.token());
            Some(health::listen_with(address, database_readiness(&store), routes, stop.token()).await?)
        }
        None => {
            token_api::warn_if_nowhere(token_api.as_ref());
            None
        }
    };

    tracing::info!(version = env!("CARGO_PKG_VERSION"), database = %file.display(), "killfleet standalone starts");
    let engine = Engine::of(
        worker,
        EngineSettings {
            concurrency_per_lane: usize::from(arguments.concurrency),
            every: arguments.every,
            until: if arguments.drain { Until::LanesEmpty } else { Until::Stopped },
            grace: arguments.grace,
            filter,
            all_corporations,
        },
    );
    let observer = engine.observer();
    let screen = Screen::new(format, arguments.drain || format == LogFormat::Json);
    let stop = stop.token();
    let ended = tokio::select! {
        ended = engine.run(|summary| screen.tick(summary), &stop) => ended?,
        never = screen.watch(&store, &observer) => match never {},
    };
    screen.end(&store, &observer).await;
    match ended {
        Ended::Drained => {
            store.close().await;
            Ok(Exit::Done)
        }
        Ended::GraceRanOut { .. } => Ok(Exit::GraceRanOut),
    }
}

/// Nobody shares this database, so it is this process that brings it to its version.
async fn open(url: &SecretString, connections: u32) -> anyhow::Result<Store> {
    let store = Store::connect_unchecked(url, NAME, connections).await.map_err(from_store)?;
    let migrations = store.migrate().await.map_err(from_store)?;
    if migrations > 0 {
        tracing::info!(migrations, "the database was brought to the schema of this version");
    }
    refuse_moved(&store).await?;
    Ok(store)
}
