//! `killfleet key rotate`: every token is sealed anew with the first key, and the last look says which key may go.

use std::ops::ControlFlow;

use anyhow::{anyhow, bail};
use clap::Args;
use serde::Serialize;
use service::settings::{DatabaseArgs, TokenKeyArgs};
use service::{Exit, Stop};
use store::Keyring;
use store::reseal::{KeyUse, ROWS_AT_ONCE, Resealed, Unopenable};

use super::progress::RotateProgress;
use super::{connect, from_store, table};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Print what has become of the tokens as JSON, and nothing else.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    token_key: TokenKeyArgs,
}

/// What is told at the end.
#[derive(Serialize)]
pub(super) struct Report {
    /// The first of the ring.
    pub(super) sealing_key: String,
    pub(super) resealed: u64,
    pub(super) sealed_already: u64,
    pub(super) is_stopped: bool,
    pub(super) unopenable: Vec<UnopenableToken>,
    /// As they stand after all was done: others may have sealed meanwhile.
    pub(super) keys: Vec<KeyUse>,
    /// The other keys of the ring that have sealed nothing that stands in the database.
    pub(super) unused_keys: Vec<String>,
    /// The other keys of the ring that have: by whoever has them in front.
    pub(super) keys_still_in_use: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct UnopenableToken {
    pub(super) token_stream_id: i64,
    pub(super) character_id: i64,
    pub(super) column: &'static str,
    pub(super) key_id: Option<String>,
    pub(super) reason: String,
}

pub(super) async fn run(arguments: Arguments, stop: Stop) -> anyhow::Result<Exit> {
    let keyring =
        Keyring::parse(&arguments.token_key.resolve()?).map_err(|error| TokenKeyArgs::malformed(error.to_string()))?;
    tracing::debug!(?keyring, "opening the database");
    let store = connect(&arguments.database).await?;
    let mut progress = RotateProgress::new(arguments.json);
    let stop = stop.token();
    let mut watch = |step| {
        progress.show(step);
        if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let resealed = store.reseal(&keyring, ROWS_AT_ONCE, &mut watch).await.map_err(from_store);
    progress.end();
    let resealed = resealed?;
    let report = Report::of(&keyring, resealed, store.key_use().await.map_err(from_store)?);
    store.close().await;
    service::print_line(&if arguments.json { serde_json::to_string(&report)? } else { table::of(&report) })?;
    match report.unopenable.len() {
        _ if report.is_stopped => {
            bail!("stopped between two token streams: nothing is lost, and the same command goes on from there")
        }
        0 => Ok(Exit::Done),
        tokens => Err(anyhow!(
            "tokens that do not open with any key of KILLFLEET_TOKEN_KEY: {tokens}. They were left as they are: add their \
             keys behind the first one, or let their pilots sign in again"
        )),
    }
}

impl Report {
    fn of(keyring: &Keyring, resealed: Resealed, keys: Vec<KeyUse>) -> Self {
        let mut ids = keyring.key_ids().map(str::to_owned);
        let sealing_key = ids.next().expect("a ring has at least one key");
        // What does not open is told as such, and is nobody's who still seals.
        let left_over = |id: &String| {
            let sealed = keys.iter().filter(|key| key.key_id.as_ref() == Some(id));
            let unopenable = resealed.unopenable.iter().filter(|token| token.key_id.as_ref() == Some(id));
            (sealed.map(|key| key.access_tokens + key.refresh_tokens).sum::<u64>(), unopenable.count() as u64)
        };
        let (mut unused_keys, mut keys_still_in_use) = (Vec::new(), Vec::new());
        for id in ids {
            match left_over(&id) {
                (0, _) => unused_keys.push(id),
                (sealed, unopenable) if sealed > unopenable => keys_still_in_use.push(id),
                _ => {}
            }
        }
        Self {
            sealing_key,
            resealed: resealed.resealed,
            sealed_already: resealed.sealed_already,
            is_stopped: resealed.is_stopped,
            unopenable: resealed.unopenable.into_iter().map(UnopenableToken::from).collect(),
            unused_keys,
            keys_still_in_use,
            keys,
        }
    }
}

impl From<Unopenable> for UnopenableToken {
    fn from(token: Unopenable) -> Self {
        Self {
            token_stream_id: token.token_stream_id.get(),
            character_id: token.character_id.get(),
            column: token.column.name(),
            key_id: token.key_id,
            reason: token.why.to_string(),
        }
    }
}
