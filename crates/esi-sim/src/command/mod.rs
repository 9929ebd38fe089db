//! The command line: `serve`, and two commands that ask a running simulator.
//!
//! The rule: a command line that makes no sense is refused in one line that names the flag.

mod characters;
mod client;
mod report;
mod serve;

use clap::{Parser, Subcommand};

/// ESI and EVE SSO, simulated, for tests and demos.
#[derive(Parser)]
#[command(name = "esi-sim", version)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve ESI, SSO and the control routes on one port.
    Serve(Box<serve::Serve>),
    /// Print the characters: id, name and refresh token, separated by tabs.
    Characters(characters::Characters),
    /// Print what the simulator counted.
    Report(report::Report),
}

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// The command line names something that cannot be used; the text names the flag.
    Usage(String),
    /// Something went wrong while it ran.
    Run(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Run(error)
    }
}

/// Runs a command to its end.
///
/// # Errors
/// When the command line cannot be used or the command fails.
pub async fn run(command_line: CommandLine) -> Result<(), Failure> {
    match command_line.command {
        Command::Serve(serve) => serve.run().await,
        Command::Characters(characters) => Ok(characters.run().await?),
        Command::Report(report) => Ok(report.run().await?),
    }
}

/// The sentence of a message of clap, without the usage text below it.
#[must_use]
pub fn one_line(message: &str) -> String {
    let sentence: Vec<&str> = message.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    sentence.join(" ")
}
