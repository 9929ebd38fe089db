//! The fleet in a few numbers, from the view that operators read too.

use serde::Serialize;

use crate::{Store, StoreError};

#[derive(Debug, Serialize)]
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
}

impl Store {
    /// # Errors
    /// When the database does not answer.
    pub async fn status(&self) -> Result<FleetStatus, StoreError> {
        sqlx::query_as!(
            FleetStatus,
            r#"select characters as "characters!", characters_needing_login as "characters_needing_login!",
                      characters_overdue_by_an_hour as "characters_overdue_by_an_hour!",
                      streams_active as "streams_active!", streams_suspect as "streams_suspect!",
                      streams_dead as "streams_dead!", streams_quarantined as "streams_quarantined!",
                      killmails_stored as "killmails_stored!", killmails_wanted as "killmails_wanted!",
                      killmails_invalid as "killmails_invalid!", killmails_parked as "killmails_parked!",
                      (select count(*) from killmail_participant) as "participants!",
                      (select count(*) from character_killmail) as "references_listed!",
                      pauses_in_force as "pauses_in_force!"
               from fleet_health"#
        )
        .fetch_one(&self.pool)
        .await
        .map_err(StoreError::during("reading the state of the fleet"))
    }
}
