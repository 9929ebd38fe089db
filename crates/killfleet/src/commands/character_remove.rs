//! `killfleet character remove`: a character goes, with its logins. Its killmails stay.

use std::io::{IsTerminal, stdin};

use anyhow::{Context, bail};
use clap::Args;
use domain::CharacterId;
use service::ConfigurationError;
use service::settings::DatabaseArgs;
use store::character::CharacterRemoved;

use super::character::parse_id;
use super::{connect, from_store};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The character.
    #[arg(value_name = "ID", value_parser = parse_id)]
    character_id: CharacterId,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<String> {
    let character_id = arguments.character_id;
    if !arguments.yes && !stdin().is_terminal() {
        let line =
            format!("character {character_id} is removed with all its logins: say --yes where nobody can be asked");
        return Err(ConfigurationError::new(line).into());
    }
    let store = connect(&arguments.database).await?;
    let Some(explained) = store.explain(character_id).await.map_err(from_store)? else {
        bail!("there is no character {character_id}");
    };
    if !arguments.yes {
        let (name, logins) = (&explained.character.character_name, explained.streams.len());
        eprintln!(
            "Remove {name} ({character_id}), with its logins ({logins}), its list and its history? Its killmails stay."
        );
        eprintln!("The tokens are gone for good. Type yes to remove it:");
        let mut answer = String::new();
        stdin().read_line(&mut answer).context("standard input cannot be read")?;
        if answer.trim() != "yes" {
            bail!("nothing was removed");
        }
    }
    let removed = store.remove_character(character_id).await.map_err(from_store)?;
    store.close().await;
    match removed {
        Some(CharacterRemoved { character_name, streams }) => {
            Ok(format!("character {character_id} ({character_name}) was removed, with {streams} token streams"))
        }
        None => bail!("there is no character {character_id} any more"),
    }
}
