//! `killfleet`: the operator's command line. A command returns what is to be printed.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::{ReadArguments, character, migrate, status};
use service::settings::LogArgs;
use service::{Exit, Process, Stop};

const NAME: &str = "killfleet";

/// Keeps EVE Online killmails coming: the operator's commands.
///
/// Every setting is a flag and an environment variable; every secret can be given as a file instead.
#[derive(Parser)]
#[command(name = NAME, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the database to the schema of this version.
    Migrate(migrate::Arguments),
    /// Add and list characters.
    #[command(subcommand)]
    Character(character::Command),
    /// Show the fleet in a few numbers.
    Status(ReadArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let process = Process { name: NAME, log: arguments.log.clone() };
    service::run(process, |_stop: Stop| async move {
        let output = match arguments.command {
            Command::Migrate(arguments) => migrate::run(arguments).await,
            Command::Character(command) => character::run(command).await,
            Command::Status(arguments) => status::run(arguments).await,
        }?;
        service::print_line(&output)?;
        Ok(Exit::Done)
    })
}
