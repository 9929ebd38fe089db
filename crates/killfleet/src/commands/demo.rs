//! `killfleet demo`: the whole fleet against a simulated EVE, in this process, without any setting.

use std::time::Instant;

use anyhow::{bail, ensure};
use clap::Args;
use service::{Exit, Stop};
use tokio_util::sync::CancellationToken;

use super::from_store;
use crate::demo::{ClosingTable, DemoFleet, Progress, SimulatedEve};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Characters that sign in.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    characters: u32,
    /// Killmails that are made up; 26 real ones come on top.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=1_500))]
    killmails: u32,
    /// Print the closing table as JSON, and nothing else.
    #[arg(long)]
    json: bool,
}

const WHAT_NEXT: &str = "
That was the whole fleet in one process, with its database in a file that is gone again. For your own pilots:

  1. register an application at https://developers.eveonline.com/applications with the scope
     esi-killmails.read_killmails.v1 and the callback http://127.0.0.1:8721/callback
  2. export KILLFLEET_CLIENT_ID=… KILLFLEET_CLIENT_SECRET=… KILLFLEET_CONTACT=you@example.com
     export KILLFLEET_TOKEN_KEY=\"2026:$(openssl rand -base64 32)\"     # and keep a copy of it
  3. killfleet migrate
  4. killfleet login
  5. killfleet standalone

`killfleet standalone --help` has the details, README.md the rest.";

pub(crate) async fn run(arguments: Arguments, stop: Stop) -> anyhow::Result<Exit> {
    let eve = SimulatedEve::start(arguments.characters, arguments.killmails).await?;
    let fleet = DemoFleet::start(&eve).await?;
    let shown = show(&arguments, &eve, &fleet, &stop.token()).await;
    // Also when something has gone wrong.
    let left = fleet.leave_nothing().await;
    service::print_line(&shown?)?;
    left?;
    Ok(Exit::Done)
}

/// What is to be printed at the end.
async fn show(
    arguments: &Arguments,
    eve: &SimulatedEve,
    fleet: &DemoFleet,
    stop: &CancellationToken,
) -> anyhow::Result<String> {
    let listed = eve.listed_killmails();
    let progress = Progress::towards(listed as u64, arguments.json);
    progress.say(&format!("a simulated EVE listens on {}", eve.url));
    for (number, pilot) in (1..).zip(eve.pilots()) {
        if stop.is_cancelled() {
            bail!("the demo was stopped before it was through");
        }
        fleet.sign_in(&pilot).await?;
        tracing::debug!(number, character.name = pilot.name, "signed in");
    }
    let signed_in = if arguments.characters == 1 { "character has" } else { "characters have" };
    progress.say(&format!("{} {signed_in} signed in", arguments.characters));

    let started = Instant::now();
    let drained = fleet.drain(&progress, stop).await;
    let took = started.elapsed();
    progress.end();
    drained?;

    let status = fleet.store().status().await.map_err(from_store)?;
    let is_whole = usize::try_from(status.killmails_stored)? == listed && status.killmails_wanted == 0;
    ensure!(is_whole, "{} of {listed} killmails are stored: that should not be", status.killmails_stored);
    let table = ClosingTable::of(&status, &eve.counters(), took);
    if arguments.json { Ok(serde_json::to_string(&table)?) } else { Ok(format!("\n{table}\n{WHAT_NEXT}")) }
}
