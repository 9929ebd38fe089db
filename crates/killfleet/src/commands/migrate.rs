//! `killfleet migrate`.

use clap::Args;
use service::settings::DatabaseArgs;
use store::Store;

use super::from_store;
use crate::NAME;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<String> {
    let store = Store::connect_unchecked(&arguments.database.resolve()?.url(), NAME, 1).await.map_err(from_store)?;
    let applied = store.migrate().await.map_err(from_store)?;
    store.close().await;
    Ok(match applied {
        0 => "the database is up to date".to_owned(),
        1 => "1 migration applied: the database is up to date".to_owned(),
        _ => format!("{applied} migrations applied: the database is up to date"),
    })
}
