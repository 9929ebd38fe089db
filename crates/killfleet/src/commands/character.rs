//! `killfleet character …`.

use clap::Subcommand;
use domain::CharacterId;

use super::{ReadArguments, character_add, character_explain, character_list, character_remove};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a login: the refresh token comes on standard input. Repeatable: each token adds a stream.
    Add(Box<character_add::Arguments>),
    /// List the characters and how they are.
    List(ReadArguments),
    /// Say everything about one character: whether it is served, why, and what comes next.
    Explain(character_explain::Arguments),
    /// Remove a character with its logins, its list and its history. Its killmails stay.
    Remove(character_remove::Arguments),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<String> {
    match command {
        Command::Add(arguments) => character_add::run(*arguments).await,
        Command::List(arguments) => character_list::run(arguments).await,
        Command::Explain(arguments) => character_explain::run(arguments).await,
        Command::Remove(arguments) => character_remove::run(arguments).await,
    }
}

pub(super) fn parse_id(text: &str) -> Result<CharacterId, String> {
    let id = text.parse().map_err(|_| "it is not a number".to_owned())?;
    CharacterId::parse(id).map_err(|error| error.to_string())
}
