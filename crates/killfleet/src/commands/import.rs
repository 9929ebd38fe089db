//! `killfleet import …`.

mod killreport;
mod report;

use clap::Subcommand;
use service::{Exit, Stop};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Take over the logins of a KillReport: each becomes a token stream, and none is refreshed by it.
    ///
    /// What is there is left as it is, so it can be stopped and repeated. Stop KillReport before the fleet starts: with a
    /// provider that replaces refresh tokens, a login that two programs use is lost.
    Killreport(Box<killreport::Arguments>),
}

pub(crate) async fn run(command: Command, stop: Stop) -> anyhow::Result<Exit> {
    match command {
        Command::Killreport(arguments) => killreport::run(*arguments, stop).await,
    }
}
