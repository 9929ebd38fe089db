//! `killfleet import …`.

mod everef;
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
    /// Take over killmails from the daily archives of EVE Ref, killmails-YYYY-MM-DD.tar.bz2, so that ESI is not asked.
    ///
    /// They are found below data.everef.net/killmails. What is stored is left as it is, so this can be stopped and
    /// repeated, also on an archive to which EVE Ref has added killmails since, and it can be run beside the fleet.
    Everef(everef::Arguments),
}

pub(crate) async fn run(command: Command, stop: Stop) -> anyhow::Result<Exit> {
    match command {
        Command::Killreport(arguments) => killreport::run(*arguments, stop).await,
        Command::Everef(arguments) => everef::run(arguments, stop).await,
    }
}
