//! `killfleet token`: one good access token on standard output, for a sibling service, and nothing else.

use anyhow::anyhow;
use clap::Args;
use domain::tier::Tiers;
use domain::{CharacterId, Failure};
use esi::Esi;
use secrecy::ExposeSecret;
use serde_json::json;
use service::{ConfigurationError, Exit, Stop, classed};
use worker::settings::{Joined, RefreshArgs};
use worker::sibling::{NotIssued, TokenRequest};
use worker::{Pace, Pauses, Worker};

use super::{CONNECTIONS, from_store};
use crate::NAME;
use crate::moved::refuse_moved;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The character that the token is to be of.
    character_id: i64,
    /// A scope that the token has to hold; can be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Print JSON, in one line: the token, when it expires, its scopes, its character.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    refresh: RefreshArgs,
}

pub(crate) async fn run(arguments: Arguments, stop: Stop) -> anyhow::Result<Exit> {
    let character_id = CharacterId::parse(arguments.character_id)
        .map_err(|error| ConfigurationError::new(format!("CHARACTER_ID: {error}")))?;
    let database_url = arguments.refresh.database.resolve_existing()?.url();
    let Joined { refresher, http, esi, token_buffer } =
        arguments.refresh.join(&database_url, NAME, CONNECTIONS).await?;
    let esi = Esi::build(http, esi.esi_url).map_err(|error| classed(error.failure()))?;
    let store = refresher.store().clone();
    refuse_moved(&store).await?;
    let worker = Worker {
        refresher: refresher.clone(),
        esi,
        token_buffer,
        tiers: Tiers::default(),
        pauses: Pauses::with(None),
        pace: Pace::default(),
        speaks_for_fleet: false,
    };
    let request = TokenRequest { character_id, scopes: arguments.scopes, sibling: "killfleet token".to_owned() };
    let issued = worker.issue_token(&request, &stop.token()).await;
    refresher.finish().await;
    store.close().await;
    let token = issued.map_err(|why| match why {
        NotIssued::Store(error) => from_store(error),
        NotIssued::NotNow { ref failure, .. } => classed(Failure::is(failure.class, why.to_string())),
        why => anyhow!("{why}"),
    })?;
    let secret = token.secret.expose_secret();
    service::print_line(&if arguments.json {
        let (expires_at, scopes) = (token.expires_at, token.scopes);
        json!({
            "access_token": secret, "expires_at": expires_at, "scopes": scopes, "character_id": character_id,
        })
        .to_string()
    } else {
        secret.to_owned()
    })?;
    Ok(Exit::Done)
}
