//! `killfleet key …`: the keys that tokens are sealed with.

mod progress;
mod rotate;
mod table;

use clap::Subcommand;
use service::{Exit, Stop};

use super::{ReadArguments, connect, from_store};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Seal every token anew with the first key of KILLFLEET_TOKEN_KEY, while the fleet goes on.
    ///
    /// First give the new key to every process, in front or behind the old one, so that all can open what it seals. This
    /// can be stopped at any time, and the same command goes on from there.
    Rotate(rotate::Arguments),
    /// Show which keys have sealed how many tokens.
    Status(ReadArguments),
}

pub(crate) async fn run(command: Command, stop: Stop) -> anyhow::Result<Exit> {
    match command {
        Command::Rotate(arguments) => return rotate::run(arguments, stop).await,
        Command::Status(arguments) => service::print_line(&status(arguments).await?)?,
    }
    Ok(Exit::Done)
}

async fn status(arguments: ReadArguments) -> anyhow::Result<String> {
    let store = connect(&arguments.database).await?;
    let keys = store.key_use().await.map_err(from_store)?;
    store.close().await;
    if arguments.json { Ok(serde_json::to_string(&keys)?) } else { Ok(table::of_keys(&keys)) }
}
