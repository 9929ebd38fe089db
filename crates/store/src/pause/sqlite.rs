use std::time::Duration;

use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::PauseRow;
use crate::sqlite::{later, now_text};

pub(super) async fn pause(
    connection: &mut SqliteConnection,
    scope: &str,
    reason: &str,
    span: Duration,
) -> Result<bool> {
    sqlx::query(
        "insert into fleet_pause as p (scope, reason, until, created_at) values (?1, ?2, ?3, ?4)
         on conflict (scope) do update set reason = excluded.reason, until = excluded.until,
             created_at = iif(p.until > ?4, p.created_at, ?4)
         where excluded.until > p.until",
    )
    .bind(scope)
    .bind(reason)
    .bind(later(span))
    .bind(now_text())
    .execute(connection)
    .await
    .map(|done| done.rows_affected() > 0)
}

pub(super) async fn list(connection: &mut SqliteConnection) -> Result<Vec<PauseRow>> {
    sqlx::query_as("select scope, reason, until, ?1 as now from fleet_pause order by scope")
        .bind(now_text())
        .fetch_all(connection)
        .await
}

pub(super) async fn remove_those_over(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query("delete from fleet_pause where until <= ?1").bind(now_text()).execute(connection).await.map(|_| ())
}
