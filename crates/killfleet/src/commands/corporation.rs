//! `killfleet corporation …`: whose corporation lists are read.

use anyhow::bail;
use clap::{Args, Subcommand};
use domain::CorporationId;
use domain::token::CORPORATION_LIST_SCOPE;
use service::settings::DatabaseArgs;
use store::corporation::CorporationListed;

use super::{ReadArguments, connect, from_store, minute};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read the killmail list of a corporation from now on, with the login of any of its directors.
    Add(Arguments),
    /// List the corporations and how they are.
    List(ReadArguments),
    /// Stop reading the list of a corporation. Its killmails stay.
    Remove(Arguments),
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// The corporation.
    #[arg(value_name = "ID", value_parser = parse_id)]
    corporation_id: CorporationId,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<String> {
    match command {
        Command::Add(arguments) => add(arguments).await,
        Command::List(arguments) => list(arguments).await,
        Command::Remove(arguments) => remove(arguments).await,
    }
}

async fn add(Arguments { corporation_id, database }: Arguments) -> anyhow::Result<String> {
    let store = connect(&database).await?;
    let is_new = store.add_corporation(corporation_id).await.map_err(from_store)?;
    store.close().await;
    let was = if is_new { "was added" } else { "had been added before" };
    Ok(format!(
        "corporation {corporation_id} {was}: its list is read as soon as one of its directors has signed in with the \
         scope {CORPORATION_LIST_SCOPE}"
    ))
}

async fn list(arguments: ReadArguments) -> anyhow::Result<String> {
    let store = connect(&arguments.database).await?;
    let corporations = store.corporations().await.map_err(from_store)?;
    store.close().await;
    if arguments.json { Ok(serde_json::to_string(&corporations)?) } else { Ok(table(&corporations)) }
}

async fn remove(Arguments { corporation_id, database }: Arguments) -> anyhow::Result<String> {
    let store = connect(&database).await?;
    let is_removed = store.remove_corporation(corporation_id).await.map_err(from_store)?;
    store.close().await;
    if !is_removed {
        bail!("corporation {corporation_id} was not there: `killfleet corporation list` shows which are");
    }
    Ok(format!("corporation {corporation_id} was removed; a fleet with KILLFLEET_CORPORATIONS=all adds it again"))
}

fn parse_id(text: &str) -> Result<CorporationId, String> {
    let id = text.parse().map_err(|_| "it is not a number".to_owned())?;
    let corporation_id = CorporationId::parse(id).map_err(|error| error.to_string())?;
    if corporation_id.is_npc() {
        return Err("it is one of the game's own corporations, whose list ESI gives to nobody".to_owned());
    }
    Ok(corporation_id)
}

fn table(corporations: &[CorporationListed]) -> String {
    let heading = format!(
        "{:>12} {:>8} {:>9} {:>9}  {:<20}  {}",
        "id", "members", "directors", "killmails", "last synced", "last result"
    );
    [heading].into_iter().chain(corporations.iter().map(row)).collect::<Vec<_>>().join("\n")
}

fn row(corporation: &CorporationListed) -> String {
    let last_synced = corporation.last_synced_at.map_or_else(|| "never".to_owned(), minute);
    let verdict = corporation.last_verdict.as_deref().unwrap_or("-");
    let result = corporation.last_reason.as_ref().map_or_else(|| verdict.to_owned(), |why| format!("{verdict}: {why}"));
    format!(
        "{:>12} {:>8} {:>9} {:>9}  {last_synced:<20}  {result}",
        corporation.corporation_id, corporation.members, corporation.directors, corporation.killmails_listed
    )
}
