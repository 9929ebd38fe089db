//! `killfleet character add`: a refresh token on standard input becomes a token stream.
//!
//! The token is stored, sealed, before it is used; it is refreshed once, and the access token that comes back must be
//! this character's. When EVE SSO refuses it, or it is somebody else's, nothing is left behind.

use std::io::{IsTerminal, Read, stdin};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use domain::token::LIST_SCOPE;
use domain::{CharacterId, TokenStreamId};
use secrecy::{ExposeSecret, SecretString};
use service::{ConfigurationError, classed};
use store::login::LoginStart;
use worker::refresh::{Refreshed, Refresher};
use worker::settings::RefreshArgs;

use super::{CONNECTIONS, from_store};
use crate::NAME;
use crate::moved::refuse_moved;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The character that the token was issued for.
    #[arg(long, value_name = "ID")]
    character_id: i64,
    /// Its name, for lists and views.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    refresh: RefreshArgs,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<String> {
    let character_id = CharacterId::parse(arguments.character_id)
        .map_err(|error| ConfigurationError::new(format!("--character-id: {error}")))?;
    let name = arguments.name.trim();
    if name.is_empty() {
        return Err(ConfigurationError::new("--name must not be empty").into());
    }
    let database_url = arguments.refresh.database.resolve_existing()?.url();
    let refresher = arguments.refresh.join(&database_url, NAME, CONNECTIONS).await?.refresher;
    let refresh_token = read_refresh_token()?;
    let store = refresher.store();
    refuse_moved(store).await?;
    let start = store.begin_login(refresher.keyring(), character_id, name, &refresh_token).await.map_err(from_store)?;
    let said = match start {
        LoginStart::AlreadyStored(token_stream_id) => {
            refresh_once(&refresher, token_stream_id).await?;
            format!("this refresh token is stored already, as token stream {token_stream_id}, and it is good")
        }
        LoginStart::Added(token_stream_id) => {
            if let Err(error) = refresh_once(&refresher, token_stream_id).await {
                let abandoned = store.abandon_login(token_stream_id).await.map_err(from_store)?;
                let left = if abandoned {
                    "nothing was stored".to_owned()
                } else {
                    format!(
                        "but EVE SSO may have replaced the refresh token: it is kept, as token stream {token_stream_id}"
                    )
                };
                return Err(error.context(format!("character {character_id} was not added, {left}")));
            }
            store.complete_login(character_id, name).await.map_err(from_store)?;
            let streams = store.streams_of(character_id).await.map_err(from_store)?.streams;
            if streams.iter().any(|stream| stream.token_stream_id == token_stream_id && stream.lacks_scope) {
                bail!(
                    "character {character_id} was added, but nothing can be fetched with this login: it does not hold \
                     the scope {LIST_SCOPE}. Sign in again with it"
                );
            }
            format!("character {character_id} ({name}) is signed in: token stream {token_stream_id}")
        }
    };
    store.close().await;
    Ok(said)
}

/// More than any provider's token, so that a file given by mistake is noticed.
const REFRESH_TOKEN_BYTES_MAX: u64 = 4096;

fn read_refresh_token() -> anyhow::Result<SecretString> {
    let usage = |problem: &str| {
        let line = format!("{problem}: give the refresh token on standard input, for example `… < token-file`");
        anyhow::Error::from(ConfigurationError::new(line))
    };
    if stdin().is_terminal() {
        eprintln!("Paste the refresh token, then press Enter and Ctrl-D:");
    }
    let mut text = String::new();
    stdin().take(REFRESH_TOKEN_BYTES_MAX + 1).read_to_string(&mut text).context("standard input cannot be read")?;
    let token = SecretString::from(text.trim().to_owned());
    match token.expose_secret() {
        "" => Err(usage("standard input is empty")),
        text if text.len() as u64 > REFRESH_TOKEN_BYTES_MAX => Err(usage("standard input is too long for a token")),
        text if text.contains(char::is_whitespace) => Err(usage("standard input holds more than one word")),
        _ => Ok(token),
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOK_FOR: Duration = Duration::from_secs(30);

pub(crate) async fn refresh_once(refresher: &Refresher, token_stream_id: TokenStreamId) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        match refresher.refresh(token_stream_id, None).await.map_err(from_store)? {
            // A worker of a running fleet may have been quicker.
            Refreshed::Granted(_) | Refreshed::LostRace => return Ok(()),
            Refreshed::Refused(failure) => bail!("{failure}"),
            Refreshed::Quarantined(failure) => bail!("{failure}"),
            Refreshed::Failed(failure) | Refreshed::Unusable(failure) => return Err(classed(failure)),
            Refreshed::Impossible => bail!("the login was removed while it was being added"),
            Refreshed::Busy if started.elapsed() < LOOK_FOR => tokio::time::sleep(LOOK_AGAIN).await,
            Refreshed::Busy => bail!("all slots for token calls are in use: try again in a minute"),
        }
    }
}
