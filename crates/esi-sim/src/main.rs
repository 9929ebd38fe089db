//! The binary `esi-sim`: reads the command line and runs one command of [`esi_sim::command`].
//!
//! The rule: exit code 0 for done (a signal included), 1 for a failure at run time, 2 for a command line that makes no
//! sense, and then one line says which flag.

use std::process::ExitCode;

use clap::Parser;
use esi_sim::command::{self, CommandLine};

#[tokio::main]
async fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) if error.use_stderr() => return refuse(&command::one_line(&error.to_string())),
        // `--help` and `--version` come as errors too; clap prints them to stdout and exits 0.
        Err(error) => error.exit(),
    };
    match command::run(command_line).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(command::Failure::Usage(message)) => refuse(&message),
        Err(command::Failure::Run(error)) => {
            eprintln!("esi-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
