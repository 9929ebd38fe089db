//! `killfleet import killreport`: the logins of a KillReport become token streams.
//!
//! Nothing is refreshed here. An access token is taken over if it is good for a while and EVE SSO's signature says that it
//! is this character's; everything else is the business of the ticks.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::bail;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use domain::{CharacterId, Failure};
use esi::{Identity, IdentityError, SignatureCheck};
use secrecy::{ExposeSecret, SecretString};
use service::settings::{ImportAddressArgs, names};
use service::{ConfigurationError, Exit, Stop, classed};
use store::killreport::{self, KillReportError, KillReportUser};
use store::login::{Imported, KeptLogin};
use store::refresh_job::Granted;
use worker::refresh::Refresher;
use worker::settings::RefreshArgs;

use super::report::{RefusedRow, Report};
use crate::NAME;
use crate::commands::{CONNECTIONS, from_store};
use crate::moved::refuse_moved;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    from: ImportAddressArgs,
    /// Print the report as JSON, in one line.
    #[arg(long)]
    json: bool,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    refresh: RefreshArgs,
}

/// One character a second becomes due, over an hour: most of their access tokens are over, and are refreshed then.
const DUE_WITHIN_SECONDS: u64 = 3600;
/// More than any provider's token.
const TOKEN_BYTES_MAX: usize = 4096;

/// A good access token, its end, and what it says of its character.
type Access<'a> = (&'a SecretString, DateTime<Utc>, Identity);

pub(crate) async fn run(arguments: Arguments, stop: Stop) -> anyhow::Result<Exit> {
    let from = arguments.from.resolve()?;
    let database_url = arguments.refresh.database.resolve_existing()?.url();
    let refresher = arguments.refresh.join(&database_url, NAME, CONNECTIONS).await?.refresher;
    refuse_moved(refresher.store()).await?;
    let users = killreport::users(&from, NAME).await.map_err(of_the_flag)?;
    let report = Report { is_dry_run: arguments.dry_run, ..Report::default() };
    let mut import = Import { refresher: &refresher, report, seen: HashSet::new() };
    let stop = stop.token();
    for user in &users {
        if stop.is_cancelled() {
            break;
        }
        import.take_over(user).await?;
    }
    let report = import.report;
    refresher.store().close().await;
    service::print_line(&if arguments.json { serde_json::to_string(&report)? } else { report.to_string() })?;
    if stop.is_cancelled() && report.rows < users.len() as u64 {
        bail!("stopped between two rows: what was imported stays, and the same command goes on from there");
    }
    match report.refused.len() {
        0 => Ok(Exit::Done),
        refused => bail!("rows that were refused: {refused}. Everything else was taken over"),
    }
}

struct Import<'a> {
    refresher: &'a Refresher,
    report: Report,
    /// What the rows before have held.
    seen: HashSet<(CharacterId, &'a str)>,
}

impl<'a> Import<'a> {
    async fn take_over(&mut self, user: &'a KillReportUser) -> anyhow::Result<()> {
        self.report.rows += 1;
        let Some(refresh_token) = &user.refresh_token else {
            self.report.without_refresh_token += 1;
            return Ok(());
        };
        let store = self.refresher.store();
        let now = store.now().await.map_err(from_store)?;
        let (character_id, access) = match self.check(user, refresh_token, now).await {
            Ok(checked) => checked,
            Err(reason) => {
                let (row, character_id) = (user.row.clone(), user.character_id.clone());
                self.report.refused.push(RefusedRow { row, character_id, reason });
                return Ok(());
            }
        };
        if !self.seen.insert((character_id, refresh_token.expose_secret())) {
            self.report.already_stored += 1;
            return Ok(());
        }
        let name_without_one = format!("Character {character_id}");
        let login = KeptLogin {
            character_id,
            character_name: user.character_name.as_deref().unwrap_or(&name_without_one),
            refresh_token,
            granted: access.as_ref().map(|(access_token, expires_at, identity)| Granted {
                access_token,
                expires_at: *expires_at,
                owner_hash: identity.owner_hash.as_deref(),
                scopes: &identity.scopes,
            }),
        };
        let due_in = Duration::from_secs(self.report.added % DUE_WITHIN_SECONDS);
        let imported = store.import_login(self.refresher.keyring(), &login, due_in, self.report.is_dry_run).await;
        match imported.map_err(from_store)? {
            Imported::Added(_) => {
                self.report.added += 1;
                self.report.with_access_token += u64::from(access.is_some());
            }
            Imported::AlreadyStored(_) => self.report.already_stored += 1,
            Imported::MayBeReplaced(_) => self.report.may_be_replaced += 1,
        }
        Ok(())
    }

    /// Whose login it is, and its access token if that can be used as it is; or why the row is refused: its refresh token
    /// would be of no use to us, or to the wrong character.
    async fn check(
        &self,
        user: &'a KillReportUser,
        refresh_token: &SecretString,
        now: DateTime<Utc>,
    ) -> Result<(CharacterId, Option<Access<'a>>), String> {
        let character_id = character_id(user)?;
        let token = refresh_token.expose_secret();
        if token.len() > TOKEN_BYTES_MAX || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("its refresh_token is none: too long, or with a space or an unusual character in it".to_owned());
        }
        let Some(access_token) = &user.access_token else { return Ok((character_id, None)) };
        let identity = match self.refresher.sso().identify(access_token, now).await {
            Ok(identity) => identity,
            Err(error @ IdentityError::Audience) => {
                return Err(format!("{error}: {} must be that of KillReport", names::CLIENT_ID));
            }
            // Most often it has expired: the refresh token is what counts.
            Err(_) => return Ok((character_id, None)),
        };
        // It lies in a database, not in an answer to us: without a signature it says nothing.
        if identity.signature != SignatureCheck::Verified {
            return Ok((character_id, None));
        }
        if identity.character_id != character_id {
            return Err(format!("its access_token belongs to character {}", identity.character_id));
        }
        // The row may say anything; its token was checked, and none lives longer.
        let expires_at = user.expires_at.filter(|at| *at > now).map(|at| at.min(now + LONGEST_LIFE));
        Ok((character_id, expires_at.map(|expires_at| (access_token, expires_at, identity))))
    }
}

/// Of an access token of EVE SSO.
const LONGEST_LIFE: TimeDelta = TimeDelta::minutes(20);

fn character_id(user: &KillReportUser) -> Result<CharacterId, String> {
    let id = user.character_id.as_deref().ok_or("it has no character_id")?;
    let id = id.parse().map_err(|_| "its character_id is not a number")?;
    CharacterId::parse(id).map_err(|error| format!("its character_id: {error}"))
}

/// What the store says of its own setting is said of the flag.
fn of_the_flag(error: KillReportError) -> anyhow::Error {
    match error {
        KillReportError::NoTable => ConfigurationError::new(format!("--from: {error}")).into(),
        KillReportError::Store(error) => {
            let Failure { class, reason } = error.failure();
            classed(Failure::is(class, format!("--from: {}", reason.replace(names::DATABASE_URL, "--from"))))
        }
    }
}
