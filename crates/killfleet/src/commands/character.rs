//! `killfleet character …`.

use clap::Subcommand;

use super::{ReadArguments, character_add, character_list};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a login: the refresh token comes on standard input. Repeatable: each token adds a stream.
    Add(Box<character_add::Arguments>),
    /// List the characters and how they are.
    List(ReadArguments),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<String> {
    match command {
        Command::Add(arguments) => character_add::run(*arguments).await,
        Command::List(arguments) => character_list::run(arguments).await,
    }
}
