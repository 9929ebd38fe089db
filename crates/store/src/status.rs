//! The fleet in a few numbers, from the view that operators read too.

mod postgres;
mod sqlite;

use serde::Serialize;

use crate::access::dialect;
use crate::{Store, StoreError};

#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct FleetStatus {
    pub characters: i64,
    pub characters_needing_login: i64,
    pub characters_overdue_by_an_hour: i64,
    pub streams_active: i64,
    pub streams_suspect: i64,
    pub streams_dead: i64,
    pub streams_quarantined: i64,
    pub killmails_stored: i64,
    pub killmails_wanted: i64,
    pub killmails_invalid: i64,
    pub killmails_parked: i64,
    /// Rows of victims and attackers.
    pub participants: i64,
    /// Times that a killmail stands on some character's list: shared ones count once for each.
    pub references_listed: i64,
    pub pauses_in_force: i64,
    pub corporations: i64,
    /// Its list was not read for four days, which is longer than the rarest are left alone.
    pub corporations_not_read_for_days: i64,
}

impl Store {
    /// # Errors
    /// When the database does not answer.
    pub async fn status(&self) -> Result<FleetStatus, StoreError> {
        dialect!(self.read("reading the state of the fleet").await?, status())
    }
}
