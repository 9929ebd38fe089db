//! `killfleet login`: a pilot signs in with a browser, and the login is stored.
//!
//! EVE SSO sends the browser back to an address on this machine. Until it comes nothing has happened; from then on nothing
//! interrupts, because the code can be used once, and the tokens that it brings are nowhere else.

mod callback;
mod finish;
mod page;

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use domain::token::LIST_SCOPE;
use esi::{CallbackError, SignIn, SignInRequest};
use secrecy::SecretString;
use service::settings::parse_duration;
use service::{ConfigurationError, Stop};
use worker::settings::RefreshArgs;

use self::callback::{Callback, Callbacks};
use self::page::Page;
use super::CONNECTIONS;
use crate::NAME;
use crate::moved::refuse_moved;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Print the address to sign in at, instead of opening a browser; the address that the browser is sent back to may also be
    /// pasted.
    #[arg(long)]
    print_url: bool,
    /// The port for the browser to come back to. Register the callback http://127.0.0.1:PORT/callback with your application.
    #[arg(long, default_value_t = 8721, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// A scope to ask for beside esi-killmails.read_killmails.v1; repeatable. Sign in always with the same ones: at EVE SSO a
    /// login with others ends the earlier logins of its character.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How long to wait for the pilot.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    wait: Duration,
    #[command(flatten)]
    refresh: RefreshArgs,
}

pub(crate) async fn run(arguments: Arguments, stop: Stop) -> anyhow::Result<String> {
    let scopes = scopes(&arguments.scopes)?;
    let database_url = arguments.refresh.database.resolve_existing()?.url();
    let refresher = arguments.refresh.join(&database_url, NAME, CONNECTIONS).await?.refresher;
    refuse_moved(refresher.store()).await?;
    let mut callbacks = Callbacks::listen(arguments.port).await?;
    let request = SignInRequest { redirect_url: callbacks.url(), scopes: &scopes, chance: rand::random() };
    let sign_in = refresher.sso().begin_sign_in(&request).await;
    if arguments.print_url {
        service::print_line(sign_in.url.as_str())?;
        eprintln!(
            "Sign in there. If the browser is on another machine, paste the address that it ends at, and press Enter:"
        );
        callbacks.read_pasted();
    } else {
        eprintln!("Opening a browser. If it does not come, sign in at\n{}", sign_in.url);
        open_browser(sign_in.url.as_str());
    }

    let stop = stop.token();
    let (callback, answer) = tokio::select! {
        answered = answered(&mut callbacks, &sign_in) => answered,
        () = tokio::time::sleep(arguments.wait) => bail!("nobody signed in within {:?}: nothing was stored", arguments.wait),
        () = stop.cancelled() => bail!("stopped before anybody had signed in: nothing was stored"),
    };
    let said = match answer {
        Ok(code) => finish::finish(&refresher, &sign_in, &code).await,
        Err(error) => Err(anyhow::Error::new(error).context("nothing was stored")),
    };
    callback.answer(match &said {
        Ok(signed_in) => Page::good(&signed_in.to_string()),
        Err(error) => Page::bad(&format!("{error:#}")),
    });
    callbacks.close().await;
    refresher.store().close().await;
    said.map(|signed_in| signed_in.to_string())
}

/// [`LIST_SCOPE`] and what was asked for beside it, in one order: EVE SSO compares sets of scopes.
fn scopes(given: &[String]) -> anyhow::Result<Vec<String>> {
    let is_scope = |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some(wrong) = given.iter().find(|text| !is_scope(text)) {
        let line = format!("--scope cannot be {wrong:?}: give one scope, and the flag again for another");
        return Err(ConfigurationError::new(line).into());
    }
    let mut scopes: Vec<String> = given.iter().cloned().chain([LIST_SCOPE.to_owned()]).collect();
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}

/// The first answer that belongs to this sign-in. Others are told so, and it goes on: anybody on this machine can send one.
async fn answered(callbacks: &mut Callbacks, sign_in: &SignIn) -> (Callback, Result<SecretString, CallbackError>) {
    loop {
        let callback = callbacks.next().await;
        match sign_in.code(callback.query()) {
            Err(error @ CallbackError::WrongState) => callback.turned_away(&error.to_string()),
            answer => return (callback, answer),
        }
    }
}

/// Best effort: the address was printed, for a machine that has no browser or opens it in another way.
fn open_browser(url: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(opener);
    // A browser lives for days: our keys are none of its business.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"KILLFLEET_")) {
        command.env_remove(name);
    }
    let started = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(error) = started {
        tracing::debug!(%error, opener, "no browser was opened");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_for_lists_is_always_asked_for() {
        let asked_for = |given: &[&str]| scopes(&given.iter().map(|&scope| scope.to_owned()).collect::<Vec<_>>());
        assert_eq!(asked_for(&[]).unwrap(), [LIST_SCOPE]);
        assert_eq!(asked_for(&["publicData", LIST_SCOPE, "b"]).unwrap(), ["b", LIST_SCOPE, "publicData"]);
        for wrong in ["", "two scopes", "ä"] {
            assert!(asked_for(&[wrong]).unwrap_err().to_string().starts_with("--scope cannot be"), "{wrong}");
        }
    }
}
