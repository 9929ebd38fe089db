//! `killfleet parked list`.

use clap::Args;
use serde::Serialize;
use service::Exit;

use super::entry::{Entry, Group, entries, groups};
use super::place::{Place, PlaceArguments};
use super::plain;
use crate::commands::minute;

#[derive(Args)]
pub(crate) struct Arguments {
    /// One by one, not by causes.
    #[arg(long)]
    all: bool,
    /// Print JSON, in one line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(Serialize)]
struct Listed<T> {
    parked: Vec<T>,
    /// False without the broker's address.
    messages_looked_at: bool,
    /// Behind those that are told of.
    messages_left: u32,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let place = Place::open(&arguments.place, true).await?;
    let entries = entries(&place).await?;
    let looked_at = place.queue.is_some();
    let left = place.queue.as_ref().map_or(0, |queue| queue.left());
    place.close().await;
    let (mut lines, json) = if arguments.all {
        let rows = entries.iter().map(Entry::row).collect();
        (table(Entry::HEADING, rows), serde_json::to_string(&listed(entries, looked_at, left))?)
    } else {
        let groups = groups(&entries);
        let rows = groups.iter().map(Group::row).collect();
        (table(Group::HEADING, rows), serde_json::to_string(&listed(groups, looked_at, left))?)
    };
    if !looked_at {
        lines.push("messages of RabbitMQ were not looked at: KILLFLEET_AMQP_URL is not set".to_owned());
    }
    if left > 0 {
        lines.push(format!("{left} messages more stand behind these"));
    }
    service::print_line(&if arguments.json { json } else { lines.join("\n") })?;
    Ok(Exit::Done)
}

fn listed<T>(parked: Vec<T>, messages_looked_at: bool, messages_left: u32) -> Listed<T> {
    Listed { parked, messages_looked_at, messages_left }
}

impl Entry {
    const HEADING: [&'static str; 5] = ["id", "state", "since", "cause", "now"];

    fn row(&self) -> [String; 5] {
        let since = self.since.map_or_else(|| "-".to_owned(), minute);
        let now = self.now.clone().unwrap_or_default();
        [self.id.clone(), self.state.clone(), since, plain(&self.cause), now]
    }
}

/// As wide as what stands in it.
fn table<const COLUMNS: usize>(heading: [&str; COLUMNS], rows: Vec<[String; COLUMNS]>) -> Vec<String> {
    if rows.is_empty() {
        return vec!["nothing is parked".to_owned()];
    }
    let all: Vec<[String; COLUMNS]> = [heading.map(str::to_owned)].into_iter().chain(rows).collect();
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|column| all.iter().map(|row| row[column].chars().count()).max().unwrap_or_default());
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}
