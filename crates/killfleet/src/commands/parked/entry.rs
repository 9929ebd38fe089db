//! Parked things of all kinds in one form, and their causes.

use std::collections::BTreeMap;

use broker::ParkedMessage;
use chrono::{DateTime, Utc};
use domain::{Job, ListOwner, SyncList};
use serde::Serialize;
use store::Store;
use store::parked::ParkedRow;

use super::place::Place;
use super::plain;
use crate::commands::{from_store, minute};

#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// As `show`, `replay` and `drop` take it.
    pub(super) id: String,
    pub(super) kind: String,
    /// Of a row its own; of a message `readable` or `unreadable`.
    pub(super) state: String,
    pub(super) cause: String,
    pub(super) since: Option<DateTime<Utc>>,
    /// What the rows say now of the job that a message asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) now: Option<String>,
}

/// Everything that is parked: rows, then messages.
pub(super) async fn entries(place: &Place) -> anyhow::Result<Vec<Entry>> {
    let rows = place.store.parked().await.map_err(from_store)?;
    let mut entries: Vec<Entry> = rows.into_iter().map(of_row).collect();
    for message in place.queue.iter().flat_map(|queue| queue.messages()) {
        entries.push(of_message(&place.store, message).await?);
    }
    Ok(entries)
}

fn of_row(row: ParkedRow) -> Entry {
    let id = format!("{}:{}", row.kind, row.id);
    let cause = row.cause.unwrap_or_else(|| "(none told)".to_owned());
    Entry { id, kind: row.kind, state: row.state, cause, since: row.since, now: None }
}

pub(super) async fn of_message(store: &Store, message: &ParkedMessage) -> anyhow::Result<Entry> {
    let (state, now) = match &message.job {
        Ok(job) => ("readable", Some(standing(store, &job.job).await?)),
        Err(_) => ("unreadable", None),
    };
    // The id holds the time at which it was made.
    let since = message.message_id.get_timestamp().and_then(|timestamp| {
        let (seconds, nanoseconds) = timestamp.to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)
    });
    Ok(Entry {
        id: format!("message:{}", message.message_id),
        kind: "message".to_owned(),
        state: state.to_owned(),
        cause: message.reason.clone(),
        since,
        now,
    })
}

/// A message is a hint: what is to be done stands in the rows.
async fn standing(store: &Store, job: &Job) -> anyhow::Result<String> {
    match job {
        Job::FetchDetails { killmail_ids } => {
            let states = store.states_of_killmails(killmail_ids).await.map_err(from_store)?;
            let known: i64 = states.iter().map(|found| found.killmails).sum();
            let unknown = i64::try_from(killmail_ids.len())? - known;
            let mut parts: Vec<String> =
                states.iter().map(|found| format!("{} {}", found.killmails, found.state)).collect();
            if unknown > 0 {
                parts.push(format!("{unknown} unknown"));
            }
            Ok(format!("killmails: {}", parts.join(", ")))
        }
        Job::SyncList(SyncList { character_id, .. })
        | Job::RefreshToken { then: SyncList { character_id, .. }, .. } => {
            list_standing(store, (*character_id).into()).await
        }
        Job::SyncCorporationList { corporation_id, .. } => list_standing(store, (*corporation_id).into()).await,
        Job::LearnAffiliations { .. } | Job::ExerciseToken { .. } | Job::LookAtToken { .. } => {
            Ok("a tick asks again when it is due".to_owned())
        }
    }
}

async fn list_standing(store: &Store, owner: ListOwner) -> anyhow::Result<String> {
    let Some(row) = store.list_row(owner).await.map_err(from_store)? else {
        return Ok(format!("{owner} is not there any more"));
    };
    let verdict = row.last_verdict.as_deref().unwrap_or("none yet");
    Ok(format!("{owner}: last result {verdict}, due again on {}", minute(row.next_sync_at)))
}

/// What has one cause.
#[derive(Debug, Serialize)]
pub(super) struct Group<'a> {
    kind: &'a str,
    state: &'a str,
    cause: &'a str,
    count: u64,
    oldest: Option<DateTime<Utc>>,
    /// One of them.
    example: &'a str,
}

pub(super) fn groups(entries: &[Entry]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(&str, &str, &str), Group<'_>> = BTreeMap::new();
    for Entry { id, kind, state, cause, since, .. } in entries {
        let empty = Group { kind, state, cause, count: 0, oldest: None, example: id };
        let group = groups.entry((kind, state, cause)).or_insert(empty);
        group.count += 1;
        group.oldest = [group.oldest, *since].into_iter().flatten().min();
    }
    groups.into_values().collect()
}

impl Group<'_> {
    pub(super) const HEADING: [&'static str; 6] = ["kind", "state", "count", "oldest", "example", "cause"];

    pub(super) fn row(&self) -> [String; 6] {
        let Self { kind, state, cause, count, oldest, example } = self;
        let oldest = oldest.map_or_else(|| "-".to_owned(), minute);
        [(*kind).to_owned(), (*state).to_owned(), count.to_string(), oldest, (*example).to_owned(), plain(cause)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_is_told_once() {
        let at = |seconds: i64| DateTime::from_timestamp(1_795_000_000 + seconds, 0);
        let entry = |id: &str, state: &str, cause: &str, since| Entry {
            id: id.to_owned(),
            kind: "killmail".to_owned(),
            state: state.to_owned(),
            cause: cause.to_owned(),
            since,
            now: None,
        };
        let entries = [
            entry("killmail:1", "parked", "404", at(60)),
            entry("killmail:2", "parked", "404", at(0)),
            entry("killmail:3", "invalid", "404", None),
            entry("killmail:4", "parked", "odd", at(30)),
        ];
        let rows: Vec<_> = groups(&entries).iter().map(Group::row).map(|row| row.join("|")).collect();
        assert_eq!(
            rows,
            [
                "killmail|invalid|1|-|killmail:3|404",
                "killmail|parked|2|2026-11-18 11:06 UTC|killmail:1|404",
                "killmail|parked|1|2026-11-18 11:07 UTC|killmail:4|odd",
            ]
        );
    }
}
