use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::FleetStatus;

pub(super) async fn status(connection: &mut SqliteConnection) -> Result<FleetStatus> {
    sqlx::query_as(
        "select *, (select count(*) from killmail_participant) as participants,
                (select count(*) from character_killmail) as references_listed
         from fleet_health",
    )
    .fetch_one(connection)
    .await
}
