//! One file for each command, and what they share.

pub(crate) mod character;
mod character_add;
mod character_list;
pub(crate) mod demo;
pub(crate) mod migrate;
pub(crate) mod move_database;
pub(crate) mod standalone;
pub(crate) mod status;

pub(crate) use character_add::refresh_once;
use clap::Args;
use service::classed;
use service::settings::DatabaseArgs;
use store::{Store, StoreError};

use crate::NAME;

/// A command does one thing after the other.
const CONNECTIONS: u32 = 2;

/// Of every command that only reads and prints.
#[derive(Args)]
pub(crate) struct ReadArguments {
    /// Print JSON, in one line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

async fn connect(database: &DatabaseArgs) -> anyhow::Result<Store> {
    Store::connect(&database.resolve_existing()?.url(), NAME, CONNECTIONS).await.map_err(from_store)
}

pub(crate) fn from_store(error: StoreError) -> anyhow::Error {
    classed(error.failure())
}
