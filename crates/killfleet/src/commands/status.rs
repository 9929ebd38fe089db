//! `killfleet status`.

use store::pause::Pause;
use store::status::FleetStatus;

use super::{ReadArguments, connect, from_store};

pub(crate) async fn run(arguments: ReadArguments) -> anyhow::Result<String> {
    let store = connect(&arguments.database).await?;
    let status = store.status().await.map_err(from_store)?;
    let pauses = store.pauses().await.map_err(from_store)?;
    store.close().await;
    if arguments.json { Ok(serde_json::to_string(&status)?) } else { Ok(table(&status, &pauses)) }
}

fn table(status: &FleetStatus, pauses: &[Pause]) -> String {
    let rows = [
        ("characters", status.characters),
        ("  that need a login", status.characters_needing_login),
        ("  overdue by an hour", status.characters_overdue_by_an_hour),
        ("corporations", status.corporations),
        ("  not read for 4 days", status.corporations_not_read_for_days),
        ("token streams active", status.streams_active),
        ("  suspect", status.streams_suspect),
        ("  dead", status.streams_dead),
        ("  quarantined", status.streams_quarantined),
        ("references on lists", status.references_listed),
        ("killmails stored", status.killmails_stored),
        ("  wanted", status.killmails_wanted),
        ("  invalid", status.killmails_invalid),
        ("  parked", status.killmails_parked),
        ("participants", status.participants),
    ];
    let counts = rows.into_iter().map(|(name, count)| format!("{name:<24}{count:>12}"));
    let pauses = pauses
        .iter()
        .map(|pause| format!("paused: {} for {} s more ({})", pause.scope, pause.remaining.as_secs(), pause.reason));
    counts.chain(pauses).collect::<Vec<_>>().join("\n")
}
