//! `killfleet`: the operator's command line. A command returns what is to be printed; what runs for long prints as it goes.

mod commands;
mod demo;
mod moved;
mod standalone;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::{
    ReadArguments, character, corporation, import, key, login, migrate, move_database, parked, status, token,
};
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
    /// Show the whole fleet at work on a simulated EVE: no settings, no network, and nothing is left behind.
    Demo(commands::demo::Arguments),
    /// Run the whole fleet in this process, with its database in a file: no servers are needed.
    ///
    /// SIGTERM, SIGINT and SIGHUP stop it in two steps: it begins nothing more, finishes what it has, and exits with 0 (with 1 if
    /// the grace time ran out); a second signal cuts.
    Standalone(Box<commands::standalone::Arguments>),
    /// Bring the database to the schema of this version.
    Migrate(migrate::Arguments),
    /// Move from the file of `killfleet standalone` to the PostgreSQL database of a fleet, with everything.
    ///
    /// It can be stopped at any time, and the same command goes on from there. From the moment at which the first token is
    /// handed over, `killfleet standalone` does not start on the file any more: a token that two fleets use can be lost.
    Move(Box<move_database::Arguments>),
    /// Sign a pilot in with a browser, and store the login.
    Login(Box<login::Arguments>),
    /// Take over the logins of another program, or killmails from archives.
    #[command(subcommand)]
    Import(import::Command),
    /// Add, list, explain and remove characters.
    #[command(subcommand)]
    Character(character::Command),
    /// Add, list and remove corporations whose killmail lists are read.
    #[command(subcommand)]
    Corporation(corporation::Command),
    /// Print one good access token of a character, for another service: it need not refresh a login of ours, and must not.
    Token(Box<token::Arguments>),
    /// Change the key that tokens are sealed with.
    #[command(subcommand)]
    Key(key::Command),
    /// Look at what was set aside for a person, have it tried again, or give it up.
    #[command(subcommand)]
    Parked(parked::Command),
    /// Show the fleet in a few numbers.
    Status(ReadArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = log_beside(&arguments);
    service::run(Process { name: NAME, log: log.clone() }, |stop: Stop| async move {
        let output = match arguments.command {
            Command::Demo(arguments) => return commands::demo::run(arguments, stop).await,
            Command::Standalone(arguments) => return commands::standalone::run(*arguments, &log, stop).await,
            Command::Move(arguments) => return move_database::run(*arguments, stop).await,
            Command::Token(arguments) => return token::run(*arguments, stop).await,
            Command::Key(command) => return key::run(command, stop).await,
            Command::Import(command) => return import::run(command, stop).await,
            Command::Parked(command) => return parked::run(command).await,
            Command::Migrate(arguments) => migrate::run(arguments).await,
            Command::Login(arguments) => login::run(*arguments, stop).await,
            Command::Character(command) => character::run(command).await,
            Command::Corporation(command) => corporation::run(command).await,
            Command::Status(arguments) => status::run(arguments).await,
        }?;
        service::print_line(&output)?;
        Ok(Exit::Done)
    })
}

/// Beside a line that is redrawn in place there is room for warnings only, if nobody has asked for more.
fn log_beside(arguments: &Arguments) -> LogArgs {
    let log = arguments.log.clone();
    match (&arguments.command, log.resolve()) {
        (Command::Demo(_), _) => log.or_default("warn"),
        (Command::Standalone(_), Ok(settings)) if standalone::is_drawn(settings.format) => log.or_default("warn"),
        _ => log,
    }
}
