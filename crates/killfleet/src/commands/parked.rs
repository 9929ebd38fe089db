//! `killfleet parked …`: what was set aside for a person. Killmails and lists are rows; messages are in the parked queue of
//! RabbitMQ, and what they ask for is looked up in the rows: those are due whether or not a message says so.

mod act;
mod entry;
mod list;
mod place;
mod selector;
mod show;

use clap::Subcommand;
use service::Exit;
use store::parked::Action;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what is parked, by its causes.
    List(list::Arguments),
    /// Say everything about one killmail, list or message.
    Show(show::Arguments),
    /// Try again: killmails and lists are wanted and due again at once, as if nothing had gone wrong.
    ///
    /// A message that can be read is removed: the rows say what is due, and ticks ask for it. One that cannot be read cannot
    /// be replayed.
    Replay(act::Arguments),
    /// Give killmails up for good, and throw messages away.
    ///
    /// The killmail stays visible as `invalid`, with the cause `dropped by operator`, and can be replayed. Lists are not
    /// given up: remove the character or the corporation.
    Drop(act::DropArguments),
}

/// What somebody else has sent, as a cause may quote it, must not steer a terminal.
fn plain(text: &str) -> String {
    let plain = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    text.chars().map(plain).collect()
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::List(arguments) => list::run(arguments).await,
        Command::Show(arguments) => show::run(arguments).await,
        Command::Replay(arguments) => act::run(arguments, Action::Replay).await,
        Command::Drop(arguments) => act::run_drop(arguments).await,
    }
}
