use sqlx::{PgConnection, Result};

use super::FleetStatus;

pub(super) async fn status(connection: &mut PgConnection) -> Result<FleetStatus> {
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
                  pauses_in_force as "pauses_in_force!", corporations as "corporations!",
                  corporations_not_read_for_days as "corporations_not_read_for_days!"
           from fleet_health"#
    )
    .fetch_one(connection)
    .await
}
