//! `killfleet move`: from the file of `killfleet standalone` to the PostgreSQL database of a fleet.
//!
//! What is carried, and in which order, is the store's business; here it is asked for, watched and told.

mod progress;
mod table;

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{anyhow, bail};
use clap::Args;
use domain::Failure;
use secrecy::SecretString;
use service::settings::{DatabaseAddress, MoveAddressArgs, TokenKeyArgs, names};
use service::{ConfigurationError, Exit, Stop, classed};
use store::carry::{BATCH_ROWS, Carried, CarryError, Refusal};
use store::{Keyring, Store};

use self::progress::MoveProgress;
use super::{CONNECTIONS, alone, from_store};
use crate::NAME;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    addresses: MoveAddressArgs,
    /// Make the file its owner's again, after a move to a fleet that was never started and never will be.
    #[arg(long, conflicts_with_all = ["to", "to_file", "json"])]
    take_back: bool,
    /// Print the closing table as JSON, and nothing else.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    token_key: TokenKeyArgs,
}

pub(crate) async fn run(arguments: Arguments, stop: Stop) -> anyhow::Result<Exit> {
    let from = arguments.addresses.resolve_from()?;
    if arguments.take_back {
        let _alone = alone(&from)?;
        let source = open(&from).await?;
        let said = take_back(&source, &from).await?;
        source.close().await;
        service::print_line(&said)?;
        return Ok(Exit::Done);
    }
    let to = arguments.addresses.resolve_to()?;
    let keyring =
        Keyring::parse(&arguments.token_key.resolve()?).map_err(|error| TokenKeyArgs::malformed(error.to_string()))?;

    // Until the end: what is carried must not change meanwhile.
    let _alone = alone(&from)?;
    let destination = connect(&to).await?;
    let source = open(&from).await?;
    let mut progress = MoveProgress::new(arguments.json);
    let stop = stop.token();
    let mut watch = |step| {
        progress.show(step);
        if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let carried = source.carry_to(&destination, &keyring, BATCH_ROWS, &mut watch).await.map_err(told);
    progress.end();
    source.close().await;
    destination.close().await;
    let carried = carried?;
    if arguments.json {
        service::print_line(&serde_json::to_string(&carried)?)?;
    } else {
        service::print_line(&table::of(&carried, &from))?;
    }
    verdict(&carried, &from)
}

/// The table was printed: here is what it means for the exit code.
fn verdict(carried: &Carried, from: &Path) -> anyhow::Result<Exit> {
    let (from, destination) = (from.display(), &carried.destination);
    if carried.finished_at.is_none() {
        let no_token_yet = !carried.tables.iter().any(|table| table.table == "token_stream");
        bail!(if no_token_yet {
            format!(
                "{destination} does not hold the same as {from}: no token was handed over, and the file is as it was. \
                 Move into an empty database"
            )
        } else {
            format!(
                "{destination} does not hold the same as {from}, but it holds its tokens: do not use the file any more. \
                 If the fleet there is at work already, this is what it has changed"
            )
        });
    }
    match carried.refused_bodies.len() {
        0 => Ok(Exit::Done),
        bodies => Err(anyhow!(
            "bodies that PostgreSQL does not take: {bodies}. They are parked in {destination} and remain in {from}; \
             everything else was moved"
        )),
    }
}

async fn take_back(source: &Store, from: &Path) -> anyhow::Result<String> {
    let from = from.display();
    let Some(moved) = source.take_back().await.map_err(from_store)? else {
        bail!("{from} was not moved: there is nothing to take back");
    };
    let destination = moved.destination;
    Ok(format!(
        "{from} can be used again.\nDo not start a scheduler, a worker or a login on {destination}, now or later: it may \
         hold the same tokens, and the first refresh in one place can kill them in the other. Drop that database; a new \
         move needs an empty one."
    ))
}

/// Nobody else uses this file, so it is this process that brings it to its version.
async fn open(from: &Path) -> anyhow::Result<Store> {
    let url = DatabaseAddress::Sqlite(from.to_owned()).url();
    let store = Store::connect_unchecked(&url, NAME, CONNECTIONS).await.map_err(from_store)?;
    store.migrate().await.map_err(from_store)?;
    Ok(store)
}

/// What the store says of its setting is said of the flag.
async fn connect(to: &SecretString) -> anyhow::Result<Store> {
    Store::connect(to, NAME, CONNECTIONS).await.map_err(|error| {
        let Failure { class, reason } = error.failure();
        classed(Failure::is(class, format!("--to: {}", reason.replace(names::DATABASE_URL, "--to"))))
    })
}

fn told(error: CarryError) -> anyhow::Error {
    match error {
        CarryError::Refused(refusal @ Refusal::BeingRefreshed { .. }) => anyhow!("not now: {refusal}"),
        CarryError::Refused(refusal) => ConfigurationError::new(format!("the move is refused: {refusal}")).into(),
        CarryError::Stopped => {
            anyhow!("stopped between two batches: nothing is lost, and the same command goes on from there")
        }
        CarryError::Store(error) => from_store(error),
    }
}
