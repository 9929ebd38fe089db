//! `killfleet parked show`: everything about one thing.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use service::Exit;
use uuid::Uuid;

use super::entry::of_message;
use super::place::{Place, PlaceArguments};
use super::plain;
use super::selector::Selector;
use crate::commands::from_store;

#[derive(Args)]
pub(crate) struct Arguments {
    /// As `list --all` shows it: killmail:ID (or the number alone), character:ID, corporation:ID or message:ID
    #[arg(value_name = "ID")]
    selector: Selector,
    /// Print JSON, in one line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let selector = arguments.selector;
    let place = Place::open(&arguments.place, matches!(selector, Selector::Message(_))).await?;
    let shown = match selector {
        Selector::Killmail(killmail_id) => {
            let explained = place.store.explain_killmail(killmail_id).await.map_err(from_store)?;
            explained.map(serde_json::to_value).transpose()?
        }
        Selector::List(owner) => {
            let row = place.store.list_row(owner).await.map_err(from_store)?;
            let actions = place.store.operator_actions(&selector.to_string()).await.map_err(from_store)?;
            row.map(serde_json::to_value).transpose()?.map(|mut row| {
                row["actions"] = json!(actions);
                row
            })
        }
        Selector::Message(message_id) => message(&place, message_id).await?,
    };
    let looked_at = place.queue.is_some();
    place.close().await;
    let Some(shown) = shown else {
        if matches!(selector, Selector::Message(_)) && !looked_at {
            bail!("messages are in RabbitMQ: set KILLFLEET_AMQP_URL");
        }
        bail!("there is no {selector}");
    };
    service::print_line(&if arguments.json { shown.to_string() } else { text(&shown)? })?;
    Ok(Exit::Done)
}

async fn message(place: &Place, message_id: Uuid) -> anyhow::Result<Option<Value>> {
    let mut messages = place.queue.iter().flat_map(|queue| queue.messages());
    let Some(message) = messages.find(|message| message.message_id == message_id) else { return Ok(None) };
    let entry = of_message(&place.store, message).await?;
    let (job, unreadable) = match &message.job {
        Ok(message) => (Some(&message.job), None),
        Err(why) => (None, Some(why)),
    };
    Ok(Some(json!({
        "id": entry.id,
        "since": entry.since,
        "cause": entry.cause,
        "queue": message.queue,
        "size_bytes": message.size_bytes,
        "job": job,
        "unreadable": unreadable,
        "begins": unreadable.map(|_| &message.shown),
        "now": entry.now,
    })))
}

/// One line for each member.
fn text(shown: &Value) -> anyhow::Result<String> {
    let members = shown.as_object().context("what is shown has members")?;
    let line = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => plain(text),
            other => other.to_string(),
        };
        format!("{name:<16}{value}")
    };
    Ok(members.iter().map(line).collect::<Vec<_>>().join("\n"))
}
