//! One file for each command, and what they share.

pub(crate) mod character;
mod character_add;
mod character_explain;
mod character_list;
mod character_remove;
pub(crate) mod corporation;
pub(crate) mod demo;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod login;
pub(crate) mod migrate;
pub(crate) mod move_database;
pub(crate) mod parked;
pub(crate) mod standalone;
pub(crate) mod status;
pub(crate) mod token;

use std::io::ErrorKind;
use std::path::Path;

pub(crate) use character_add::refresh_once;
use chrono::{DateTime, Utc};
use clap::Args;
use service::settings::DatabaseArgs;
use service::{ConfigurationError, classed};
use store::alone::{Alone, AloneError};
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

/// A time as a table shows it.
fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

async fn connect(database: &DatabaseArgs) -> anyhow::Result<Store> {
    Store::connect(&database.resolve_existing()?.url(), NAME, CONNECTIONS).await.map_err(from_store)
}

/// A lock that cannot be had because of where the file is to be is a mistake of the settings, as for the file itself.
fn alone(file: &Path) -> anyhow::Result<Alone> {
    use ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    Alone::claim(file).map_err(|error| match &error {
        AloneError::Lock { source, .. }
            if matches!(
                source.kind(),
                AlreadyExists | IsADirectory | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem
            ) =>
        {
            let line = format!("{error}: {source}: check the path in KILLFLEET_DATABASE_URL");
            ConfigurationError::new(line).into()
        }
        _ => error.into(),
    })
}

pub(crate) fn from_store(error: StoreError) -> anyhow::Error {
    classed(error.failure())
}
