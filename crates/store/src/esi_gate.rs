//! Whether ESI is open to the fleet ([`domain::gate`]): one row, whose rules are asked under its lock.
//!
//! While it is closed a pause of [`SCOPE_ESI`] is in force, which is what everybody looks at. Its lock is taken before
//! that of the pause, and before those of buckets and characters.

mod postgres;
mod sqlite;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::downtime::Downtime;
use domain::gate::{Gate, Opened};

use crate::access::{Access, dialect};
use crate::pause::{self, SCOPE_ESI};
use crate::{Store, StoreError};

/// Renewed with every answer of `/status`. A fleet that has stood still for longer asks before it calls.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// After an outage no more lists than this are due in a second, so that not all are asked for at once…
const LISTS_A_SECOND: f64 = 20.0;
/// …but all of them within this.
const LISTS_WITHIN: Duration = Duration::from_secs(5 * 60);

const ASKING: &str = "looking whether ESI is open";
const CLOSING: &str = "recording that ESI is closed";

#[derive(sqlx::FromRow)]
struct Row {
    closed_at: Option<DateTime<Utc>>,
    is_certain: bool,
    probe_at: Option<DateTime<Utc>>,
    good_until: Option<DateTime<Utc>>,
    downtime_ends_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}

impl Row {
    fn read(self) -> (Gate, DateTime<Utc>) {
        let Self { closed_at, is_certain, probe_at, good_until, downtime_ends_at, now } = self;
        (Gate { closed_at, is_certain, probe_at, good_until, downtime_ends_at }, now)
    }
}

impl Store {
    /// Many calls to ESI have failed: all wait until its status was asked. False when that is so already, or when its
    /// last good answer still holds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn suspect_esi(&self, reason: &str) -> Result<bool, StoreError> {
        let mut transaction = self.transaction(CLOSING).await?;
        let (mut gate, now) = dialect!(transaction, lock())?.read();
        if !gate.suspect(now) {
            return Ok(false);
        }
        write(transaction, &gate, Some((reason, PAUSE))).await?;
        Ok(true)
    }

    /// Keeps the daily downtime, if it is the time for it. False when that is known, or when it is not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_downtime(&self, downtime: &Downtime, random: f64) -> Result<bool, StoreError> {
        let (gate, now) = dialect!(self.read(ASKING).await?, row())?.read();
        let Some(ends_at) = downtime.end_of(now) else { return Ok(false) };
        if !gate.clone().begin_downtime(ends_at, random, now) {
            return Ok(false);
        }
        let mut transaction = self.transaction(CLOSING).await?;
        let (mut gate, now) = dialect!(transaction, lock())?.read();
        if !gate.begin_downtime(ends_at, random, now) {
            return Ok(false);
        }
        let span = (ends_at - now).to_std().unwrap_or_default() + PAUSE;
        write(transaction, &gate, Some((&format!("EVE's daily downtime, {downtime}"), span))).await?;
        Ok(true)
    }

    /// Whether this process is to ask for the status now. It has 45 s to say what came of it, then another one asks.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_esi_probe(&self) -> Result<bool, StoreError> {
        let (gate, now) = dialect!(self.read(ASKING).await?, row())?.read();
        if !gate.is_probe_due(now) {
            return Ok(false);
        }
        let mut transaction = self.transaction(ASKING).await?;
        let (mut gate, now) = dialect!(transaction, lock())?.read();
        let is_claimed = gate.claim_probe(now);
        write(transaction, &gate, None).await?;
        Ok(is_claimed)
    }

    /// The status was not that of an open server, and will be the same for so long. True when until now that was a mere
    /// suspicion: the operator has to be told.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn esi_is_closed(&self, reason: &str, lives_for: Duration, random: f64) -> Result<bool, StoreError> {
        let mut transaction = self.transaction(CLOSING).await?;
        let (mut gate, now) = dialect!(transaction, lock())?.read();
        if gate.closed_at.is_none() {
            return Ok(false);
        }
        let is_news = gate.found_closed(lives_for, random, now);
        write(transaction, &gate, Some((reason, PAUSE))).await?;
        Ok(is_news)
    }

    /// The status is that of an open server: the pause ends. None when there was none, or when the downtime has begun
    /// meanwhile. After a long one nothing begins with a burst: buckets have saved nothing up, and lists that are due
    /// follow each other.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn esi_is_open(&self, lives_for: Duration) -> Result<Option<Opened>, StoreError> {
        let mut transaction = self.transaction("recording that ESI is open").await?;
        let (mut gate, now) = dialect!(transaction, lock())?.read();
        let Some(opened) = gate.found_open(lives_for, now) else { return Ok(None) };
        dialect!(transaction, end_pause(SCOPE_ESI))?;
        if opened.is_after_long() {
            dialect!(transaction, begin_buckets_anew())?;
            dialect!(transaction, spread_due_lists(1.0 / LISTS_A_SECOND, LISTS_WITHIN.as_secs_f64()))?;
        }
        write(transaction, &gate, None).await?;
        Ok(Some(opened))
    }
}

async fn write(mut transaction: Access, gate: &Gate, pause: Option<(&str, Duration)>) -> Result<(), StoreError> {
    dialect!(transaction, write(gate))?;
    if let Some((reason, span)) = pause {
        pause::pause_within(&mut transaction, SCOPE_ESI, reason, span).await?;
    }
    transaction.commit().await
}
