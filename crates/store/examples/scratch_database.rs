//! `scratch_database create <server-url>` prints the URL of a new, migrated database; `scratch_database drop <url>`
//! removes it again. For the scripts in `dev/`, so that they need no psql.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for scripts")]

use std::process::ExitCode;

use secrecy::{ExposeSecret, SecretString};
use store::scratch;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["create", server] => scratch::create_migrated(&SecretString::from(server.to_owned()))
            .await
            .map(|url| println!("{}", url.expose_secret())),
        ["drop", url] => scratch::drop(&SecretString::from(url.to_owned())).await,
        _ => {
            eprintln!("usage: scratch_database create <server-url> | drop <url>");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scratch_database: {}", error.failure());
            ExitCode::FAILURE
        }
    }
}
