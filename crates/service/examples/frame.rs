//! A process with a body that does what its first argument says. The tests of the frame run it; it also shows what a
//! binary of the fleet looks like at its smallest.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use service::settings::{LogArgs, TokenKeyArgs};
use service::{ConfigurationError, Exit, Process, Stop};

/// Does what its first argument says.
#[derive(Parser)]
struct Arguments {
    /// done, fail, misconfigured, key, panic, drain, late or stubborn
    ending: String,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    token_key: TokenKeyArgs,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    service::run(Process { name: "frame", log: arguments.log.clone() }, |stop| body(arguments, stop))
}

async fn body(arguments: Arguments, stop: Stop) -> anyhow::Result<Exit> {
    let working = || tracing::info!("working");
    match arguments.ending.as_str() {
        "done" => {}
        "fail" => {
            let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            return Err(refused).context("cannot reach PostgreSQL");
        }
        "misconfigured" => bail!(ConfigurationError::new("the database has no tables:\nrun `killfleet migrate`")),
        "key" => drop(arguments.token_key.resolve().context("cannot open the store")?),
        "panic" => panic!("the body has a bug"),
        "drain" => {
            working();
            stop.token().cancelled().await;
            tracing::info!("drained");
        }
        "late" => {
            working();
            stop.token().cancelled().await;
            return Ok(Exit::GraceRanOut);
        }
        "stubborn" => {
            working();
            std::future::pending::<()>().await;
        }
        other => bail!("no ending is called {other}"),
    }
    Ok(Exit::Done)
}
