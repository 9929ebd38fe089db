//! Carrying a SQLite file over to the PostgreSQL database of a fleet, whole and for good.
//!
//! No refresh token may ever be used by two fleets: a provider that rotates would kill the one of the two. So the order is
//! the rule. First comes all that is no token, and each table is compared, row by row, as soon as it is there; until
//! then the file is its owner's as before. Then the file is marked as moved ([`Store::moved`]), which forbids anybody to
//! work on it; only then the token streams are written. Nothing that stands in the destination is ever overwritten. So a
//! carriage that was interrupted anywhere is simply begun again: it goes over what is there and on with the rest.
//!
//! Each table stands in a file of its own below; [`table`] is what they have in common.

mod character;
mod check;
mod corporation;
mod ends;
mod fleet_pause;
mod killmail;
mod killmail_participant;
mod killmail_ref;
mod listed;
mod mark;
mod operator_action;
mod sync_run;
mod table;
mod token_event;
mod token_stream;

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use domain::TokenStreamId;
use ends::Ends;
pub use mark::Moved;
use serde::Serialize;
use table::Carrier;
use thiserror::Error;

use crate::seal::{Keyring, SealError};
use crate::{Store, StoreError};

/// What is done at once unless somebody asks for something else: some ten thousand participants, or some megabytes of
/// bodies.
pub const BATCH_ROWS: u32 = 2_000;

/// How far it has come with one table; told after every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub table: &'static str,
    pub phase: Phase,
    /// Rows of the file that this phase has gone through.
    pub done: u64,
    /// Rows that the file has.
    pub of: u64,
}

/// What is being done with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Carrying,
    Comparing,
}

/// Told of every batch; says whether another one shall follow.
pub type Watch<'a> = dyn FnMut(Progress) -> ControlFlow<()> + Send + 'a;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Host, port and name of the database.
    pub destination: String,
    /// In the order in which they were carried. Without the token streams if something before them is not equal, and
    /// empty if all had been carried before.
    pub tables: Vec<CarriedTable>,
    pub refused_bodies: Vec<RefusedBody>,
    /// Since when all is known to be in the destination; none if something is not equal.
    pub finished_at: Option<DateTime<Utc>>,
}

/// One table of the file beside the same table of the destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CarriedTable {
    pub table: &'static str,
    /// Rows written this time.
    pub carried: u64,
    pub in_source: u64,
    pub in_destination: u64,
    /// Rows of the file that are missing in the destination or stand otherwise there.
    pub differing: u64,
    /// The keys of the first few of them.
    pub differing_keys: Vec<String>,
}

impl CarriedTable {
    /// Whether each row of the file stands in the destination as it should.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differing == 0
    }
}

/// A killmail whose body PostgreSQL does not take. It is parked there, as the fleet itself would have parked it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedBody {
    pub killmail_id: i64,
    pub reason: String,
}

/// Why nothing, or not all, was carried. What was carried stays, and the next attempt goes on behind it.
#[derive(Debug, Error)]
pub enum CarryError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("stopped between two batches")]
    Stopped,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why nothing may be carried from here to there.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("a SQLite file can be carried to a PostgreSQL database, and nothing else to anything else")]
    OtherWay,
    #[error("token stream {token_stream_id}: {why}")]
    Unopenable { token_stream_id: TokenStreamId, why: SealError },
    #[error(
        "token stream {token_stream_id} is being refreshed, or was when killfleet was cut off: try again in a minute"
    )]
    BeingRefreshed { token_stream_id: TokenStreamId },
    #[error("{destination} holds {what} of its own: move into an empty database")]
    NotEmpty { destination: String, what: &'static str },
    #[error("{destination} holds token streams of a move that was taken back: move into an empty database")]
    TakenBack { destination: String },
    #[error("the file was moved to {other}: its tokens belong to the fleet there, not to {destination}")]
    MovedElsewhere { other: String, destination: String },
}

impl Store {
    /// Carries everything from this file to the PostgreSQL database of a fleet, in batches of so many rows. Nobody else
    /// may be working on the file meanwhile. Tokens are sealed anew, with the first key.
    ///
    /// # Errors
    /// [`CarryError::Refused`] before anything is written, or, if a refresh has begun meanwhile, before the first token is;
    /// [`CarryError::Stopped`] when `watch` says so.
    pub async fn carry_to(
        &self,
        destination: &Self,
        keyring: &Keyring,
        batch_rows: u32,
        watch: &mut Watch<'_>,
    ) -> Result<Carried, CarryError> {
        let ends = Ends::of(self, destination)?;
        let moved = self.moved().await?;
        check::before_anything_is_written(&ends, moved.as_ref(), keyring).await?;
        let mut carried = Carried {
            destination: ends.name(),
            tables: Vec::new(),
            refused_bodies: Vec::new(),
            finished_at: moved.as_ref().and_then(|moved| moved.finished_at),
        };
        if carried.finished_at.is_some() {
            return Ok(carried);
        }
        ends.set_ids_of_the_destination_behind_ours().await?;
        let mut carrier = Carrier { ends: &ends, batch_rows: i64::from(batch_rows.max(1)), watch };
        let tables = &mut carried.tables;
        let mut killmails = killmail::Killmails::default();
        tables.push(carrier.take(&mut killmails).await?);
        let refused = killmails.refused;
        tables.push(carrier.take(&mut killmail_participant::Participants { refused: &refused }).await?);
        tables.push(carrier.take(&mut killmail_ref::References { refused: &refused }).await?);
        tables.push(carrier.take(&mut character::Characters).await?);
        tables.push(carrier.take(&mut listed::ListsOfCharacters).await?);
        tables.push(carrier.take(&mut corporation::Corporations).await?);
        tables.push(carrier.take(&mut listed::ListsOfCorporations).await?);
        tables.push(carrier.take(&mut sync_run::Runs).await?);
        tables.push(carrier.take(&mut token_event::Events).await?);
        tables.push(carrier.take(&mut operator_action::Actions).await?);
        tables.push(carrier.take(&mut fleet_pause::Pauses).await?);
        carried.refused_bodies = refused.into_iter().map(Into::into).collect();
        // A file that is marked already has got past this once: what differs now is the doing of the fleet there.
        if moved.is_none() {
            if !tables.iter().all(CarriedTable::is_equal) {
                return Ok(carried);
            }
            mark::begin(&ends).await?;
        }
        tables.push(carrier.take(&mut token_stream::Streams { keyring }).await?);
        if tables.iter().all(CarriedTable::is_equal) {
            carried.finished_at = Some(mark::finish(&ends).await?);
        }
        Ok(carried)
    }
}
