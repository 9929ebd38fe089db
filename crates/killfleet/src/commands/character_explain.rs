//! `killfleet character explain`: whether a character is served, why, and what comes next.

use std::time::Duration;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Args;
use domain::CharacterId;
use domain::token::{self, Choice, NoToken};
use serde::Serialize;
use service::settings::{DatabaseArgs, TokenRulesArgs};
use store::explain::{Explained, RunRow, StreamRow};
use store::lease;
use store::pause::{self, Pause};

use super::character::parse_id;
use super::{connect, from_store};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The character.
    #[arg(value_name = "ID", value_parser = parse_id)]
    character_id: CharacterId,
    /// Print JSON, in one line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    token_rules: TokenRulesArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// What follows from the rows.
#[derive(Serialize)]
struct Verdict {
    is_served: bool,
    /// `good_token`, `after_a_refresh`, or the word for why not.
    because: &'static str,
    token_stream_id: Option<i64>,
    #[serde(skip)]
    choice: Choice,
    waits_for: String,
    /// When its list can be looked at next, if nothing else comes; in the past when that is so already.
    next_look_at: DateTime<Utc>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<String> {
    let buffer = arguments.token_rules.resolve()?.buffer;
    let store = connect(&arguments.database).await?;
    let Some(explained) = store.explain(arguments.character_id).await.map_err(from_store)? else {
        bail!("there is no character {}", arguments.character_id);
    };
    let list = pause::scope_of_list(arguments.character_id);
    let mut pauses = store.pauses().await.map_err(from_store)?;
    store.close().await;
    pauses.retain(|pause| pause.is_of_refreshes() || [pause::SCOPE_ESI, &list].contains(&pause.scope.as_str()));
    let verdict = verdict(&explained, &pauses, buffer);
    if arguments.json { json(&explained, &pauses, &verdict) } else { Ok(text(&explained, &pauses, &verdict)) }
}

fn verdict(explained: &Explained, pauses: &[Pause], buffer: Duration) -> Verdict {
    let choice = token::choose(&explained.rules, explained.now, buffer);
    let (because, token_stream_id) = match choice {
        Choice::Use(id) => ("good_token", Some(id.get())),
        Choice::Refresh(id) => ("after_a_refresh", Some(id.get())),
        Choice::Nothing(reason) => (reason.name(), None),
    };
    let (next_look_at, waits_for) = next(explained, pauses, choice);
    let is_served = token_stream_id.is_some();
    Verdict { is_served, because, token_stream_id, choice, waits_for, next_look_at }
}

/// What has to come before its list is looked at again, and when: the last of several.
fn next(explained: &Explained, pauses: &[Pause], choice: Choice) -> (DateTime<Utc>, String) {
    let (character, now) = (&explained.character, explained.now);
    if let Some(until) = character.lease_until.filter(|until| *until > now) {
        return (now, format!("a worker, which is at it and has until {}", time(until)));
    }
    let mut waits = vec![(character.next_sync_at, "its turn")];
    // A walk that is not through goes on, whatever is fresh of its first page.
    if character.resume_page.is_none_or(|page| page == 1) {
        waits.extend(character.list_expires_at.map(|at| (at, "ESI's copy of its list")));
    }
    // Who has a good token does not wait for EVE SSO.
    let holds_up = |pause: &&Pause| !pause.is_of_refreshes() || !matches!(choice, Choice::Use(_));
    waits.extend(pauses.iter().filter(holds_up).map(|pause| (pause.until, "the end of a pause")));
    if choice == Choice::Nothing(NoToken::WaitingForProbe) {
        let probes = explained.rules.iter().filter_map(|stream| stream.health.next_probe_at);
        waits.extend(probes.min().map(|at| (at, "the next try of its login")));
    }
    let (at, what) = waits.into_iter().max().expect("there is its turn, if nothing else");
    let hinted_at = character.hinted_at.filter(|hinted_at| (now - *hinted_at).to_std().is_ok_and(is_fresh));
    let waits_for = match (choice, hinted_at) {
        (Choice::Nothing(reason), _) if reason != NoToken::WaitingForProbe => {
            "its pilot, who has to sign in".to_owned()
        }
        _ if at > now => format!("{what}, at {}", time(at)),
        (_, Some(hinted_at)) => format!("a worker: it is queued since {}", time(hinted_at)),
        (_, None) => "the next tick: it is due".to_owned(),
    };
    (at, waits_for)
}

/// A hint that is older was lost.
fn is_fresh(age: Duration) -> bool {
    age < lease::HINT_STALE_AFTER
}

fn json(explained: &Explained, pauses: &[Pause], verdict: &Verdict) -> anyhow::Result<String> {
    let pauses: Vec<_> = pauses
        .iter()
        .map(|pause| serde_json::json!({ "scope": pause.scope, "reason": pause.reason, "until": pause.until }))
        .collect();
    let mut value = serde_json::to_value(explained)?;
    value["verdict"] = serde_json::to_value(verdict)?;
    value["pauses"] = pauses.into();
    Ok(value.to_string())
}

fn text(explained: &Explained, pauses: &[Pause], verdict: &Verdict) -> String {
    let character = &explained.character;
    let or_never = |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".to_owned(), time);
    let served = match verdict.choice {
        Choice::Use(id) => format!("yes, by token stream {id}"),
        Choice::Refresh(id) => format!("yes, once token stream {id} is refreshed"),
        Choice::Nothing(reason) => format!("no: {}", in_words(reason)),
    };
    let last = match (&character.last_verdict, &character.last_reason) {
        (Some(verdict), Some(reason)) => format!("{verdict} ({reason}), {}", or_never(character.last_verdict_at)),
        (Some(verdict), None) => format!("{verdict}, {}", or_never(character.last_verdict_at)),
        (None, _) => "none yet".to_owned(),
    };
    let list = match character.resume_page {
        None => "seen to its end".to_owned(),
        Some(1) => "not begun, or to be begun again".to_owned(),
        Some(page) => format!("goes on at page {page}"),
    };
    let killmails = format!(
        "{} on its list: {} stored, {} wanted, {} invalid, {} parked; the newest is of {}",
        character.killmails_listed,
        character.killmails_stored,
        character.killmails_wanted,
        character.killmails_invalid,
        character.killmails_parked,
        or_never(character.newest_killmail_time)
    );
    let rows = [
        ("served", served),
        ("waits for", verdict.waits_for.clone()),
        ("list", format!("{list}; last synced {}, attempt {}", or_never(character.last_synced_at), character.attempt)),
        ("last result", last),
        ("killmails", killmails),
    ];
    let mut lines = vec![format!(
        "{} {}, known since {}",
        character.character_id,
        character.character_name,
        time(character.created_at)
    )];
    lines.extend(rows.into_iter().map(|(name, value)| format!("  {name:<12} {value}")));
    lines.extend(
        pauses
            .iter()
            .map(|pause| format!("  {:<12} {}: {}, until {}", "paused", pause.scope, pause.reason, time(pause.until))),
    );
    lines.extend(explained.streams.iter().map(|stream| format!("  {}", stream_line(stream, explained.now))));
    lines.extend(explained.last_runs.iter().map(|run| format!("  {}", run_line(run))));
    lines.join("\n")
}

fn stream_line(stream: &StreamRow, now: DateTime<Utc>) -> String {
    let access = match stream.expires_at {
        Some(at) if stream.has_access_token && at > now => format!("access token until {}", time(at)),
        Some(at) if stream.has_access_token => format!("access token was over at {}", time(at)),
        _ => "no access token".to_owned(),
    };
    let refresh = if stream.has_refresh_token { "refresh token kept" } else { "no refresh token" };
    let mut line = format!(
        "token stream {}: {}, {access}, {refresh}, scopes: {}",
        stream.token_stream_id,
        stream.state,
        stream.granted_scopes.join(" ")
    );
    if let Some(at) = stream.lease_until {
        line += if at > now { "; a refresh is under way" } else { "; the answer to a refresh was lost" };
    }
    if stream.strikes > 0 {
        line += &format!(
            "; refused {} times since {}",
            stream.strikes,
            stream.first_refused_at.map_or_else(String::new, time)
        );
    }
    if let (Some(code), Some(at)) = (&stream.last_error_code, stream.last_error_at) {
        line += &format!("; {code} at {}: {}", time(at), stream.last_error.as_deref().unwrap_or_default());
    }
    line
}

fn run_line(run: &RunRow) -> String {
    let reason = run.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    format!(
        "walk of {}: {} pages, {} new, {}{reason}",
        time(run.started_at),
        run.pages,
        run.references_new,
        run.verdict
    )
}

fn in_words(reason: NoToken) -> &'static str {
    match reason {
        NoToken::BothTokensMissing => "it has no login",
        NoToken::NeedsLogin => "every login was refused for good, or cannot be refreshed",
        NoToken::WaitingForProbe => "its login was refused, and is tried again later",
        NoToken::ScopeMissing => "its login does not hold the scope for killmail lists",
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
