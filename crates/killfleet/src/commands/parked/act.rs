//! `killfleet parked replay` and `drop`: what is done, and what it leaves, said one by one.

use std::io::{IsTerminal, stdin};

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;
use service::{ConfigurationError, Exit};
use store::parked::{Action, Chosen, DROPPED, Operator};
use uuid::Uuid;

use super::entry::{Entry, entries};
use super::place::{Place, PlaceArguments};
use super::selector::Selector;
use crate::commands::from_store;
use crate::moved::refuse_moved;

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// As `list --all` shows it: killmail:ID (or the number alone), character:ID, corporation:ID or message:ID
    #[arg(value_name = "ID")]
    ids: Vec<Selector>,
    /// All whose cause holds this text.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    cause: Option<String>,
    /// All that is parked, but for killmails that are invalid: name them, or their cause.
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Why, for `operator_action`, where it is written down.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who, for the same.
    #[arg(long, env = "USER", value_name = "NAME")]
    operator: Option<String>,
    /// Print JSON, in one line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(Args)]
pub(crate) struct DropArguments {
    #[command(flatten)]
    arguments: Arguments,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

#[derive(Default, Serialize)]
struct Report {
    done: Vec<String>,
    left: Vec<Left>,
}

#[derive(Serialize)]
struct Left {
    id: String,
    why: &'static str,
}

pub(super) async fn run_drop(DropArguments { arguments, yes }: DropArguments) -> anyhow::Result<Exit> {
    if !yes {
        if !stdin().is_terminal() {
            let line = "what is dropped is given up for good: say --yes where nobody can be asked";
            return Err(ConfigurationError::new(line.to_owned()).into());
        }
        let place = Place::open(&arguments.place, arguments.which.concerns_messages()).await?;
        let entries = entries(&place).await?;
        // Not held while somebody thinks it over.
        place.close().await;
        let chosen = entries.iter().filter(|entry| arguments.which.takes(entry) && is_droppable(entry)).count();
        eprintln!("Give {chosen} killmails and messages up for good? Type yes:");
        let mut answer = String::new();
        stdin().read_line(&mut answer).context("standard input cannot be read")?;
        if answer.trim() != "yes" {
            bail!("nothing was dropped");
        }
    }
    run(arguments, Action::Drop).await
}

fn is_droppable(entry: &Entry) -> bool {
    entry.kind == "message" || entry.kind == "killmail" && entry.cause != DROPPED
}

pub(super) async fn run(arguments: Arguments, action: Action) -> anyhow::Result<Exit> {
    let Arguments { which, note, operator, json, place } = arguments;
    let mut place = Place::open(&place, which.concerns_messages()).await?;
    refuse_moved(&place.store).await?;
    let operator = Operator { name: operator.filter(|name| !name.is_empty()), note };
    let mut report = Report::default();
    which.settle_rows(&place, action, &operator, &mut report).await?;
    which.settle_messages(&mut place, action, &operator, &mut report).await?;
    place.close().await;
    let (done, left) = (report.done.len(), report.left.len());
    if json {
        service::print_line(&serde_json::to_string(&report)?)?;
    } else {
        let did = report.done.iter().map(|id| format!("{} {id}", action.name()));
        let left = report.left.iter().map(|left| format!("left {}: {}", left.id, left.why));
        let sum = format!("{done} done, {} left", report.left.len());
        service::print_line(&did.chain(left).chain([sum]).collect::<Vec<_>>().join("\n"))?;
    }
    if left > 0 && !which.ids.is_empty() {
        bail!("{left} of those that were named are left as they are");
    }
    Ok(Exit::Done)
}

impl Which {
    fn concerns_messages(&self) -> bool {
        self.ids.is_empty() || self.ids.iter().any(|id| matches!(id, Selector::Message(_)))
    }

    fn takes(&self, entry: &Entry) -> bool {
        self.has(&entry.id, &entry.cause) && !(self.all && entry.state == "invalid")
    }

    fn has(&self, id: &str, cause: &str) -> bool {
        self.all
            || self.cause.as_ref().is_some_and(|text| cause.contains(text))
            || self.ids.iter().any(|named| named.to_string() == id)
    }

    async fn settle_rows(
        &self,
        place: &Place,
        action: Action,
        operator: &Operator,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let named = self.ids.iter().filter_map(|id| Some((Some(*id), id.row()?)));
        let of_all = self.all.then_some(Chosen::All);
        let of_cause = self.cause.as_deref().map(Chosen::Cause);
        for (named, chosen) in named.chain(of_all.into_iter().chain(of_cause).map(|chosen| (None, chosen))) {
            let settled = match action {
                Action::Replay => place.store.replay_parked(chosen, operator).await,
                Action::Drop => place.store.drop_parked(chosen, operator).await,
            };
            let settled = settled.map_err(from_store)?;
            if settled.is_empty() {
                let why = match (chosen, action) {
                    (Chosen::List(_), Action::Drop) => "no list is given up: remove the character or the corporation",
                    _ => "it is not parked",
                };
                report.left.extend(named.map(|id| Left { id: id.to_string(), why }));
            }
            report.done.extend(settled);
        }
        Ok(())
    }

    /// Written down first: better a record of what then could not be done than the other way round.
    async fn settle_messages(
        &self,
        place: &mut Place,
        action: Action,
        operator: &Operator,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let mut missing: Vec<Uuid> =
            self.ids.iter().filter_map(|id| if let Selector::Message(id) = id { Some(*id) } else { None }).collect();
        if let Some(queue) = &mut place.queue {
            let chosen: Vec<_> = queue
                .messages()
                .map(|message| (message.message_id, message.reason.clone(), message.job.is_ok()))
                .filter(|(message_id, reason, _)| self.has(&Selector::Message(*message_id).to_string(), reason))
                .collect();
            for (message_id, reason, is_readable) in chosen {
                missing.retain(|other| *other != message_id);
                let id = Selector::Message(message_id).to_string();
                if action == Action::Replay && !is_readable {
                    report.left.push(Left { id, why: "nobody can read it: drop it" });
                    continue;
                }
                let store = &place.store;
                store.record_operator_action(action, &id, &reason, operator).await.map_err(from_store)?;
                queue.remove(message_id).await.map_err(|error| service::classed(error.failure()))?;
                report.done.push(id);
            }
        }
        let why = match place.queue {
            Some(_) => "it is not among the first messages of the parked queue",
            None => "messages are in RabbitMQ, and KILLFLEET_AMQP_URL is not set",
        };
        report.left.extend(missing.into_iter().map(|id| Left { id: Selector::Message(id).to_string(), why }));
        Ok(())
    }
}
