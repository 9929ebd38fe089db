use std::time::Duration;

use sqlx::{PgConnection, Result};

use super::PauseRow;
use crate::lease;

pub(super) async fn pause(connection: &mut PgConnection, scope: &str, reason: &str, span: Duration) -> Result<bool> {
    sqlx::query!(
        r#"insert into fleet_pause as p (scope, reason, until) values ($1, $2, now() + make_interval(secs => $3))
           on conflict (scope) do update set reason = excluded.reason, until = excluded.until,
               created_at = case when p.until > now() then p.created_at else now() end
           where excluded.until > p.until"#,
        scope,
        reason,
        lease::seconds(span)
    )
    .execute(connection)
    .await
    .map(|done| done.rows_affected() > 0)
}

pub(super) async fn list(connection: &mut PgConnection) -> Result<Vec<PauseRow>> {
    sqlx::query_as!(PauseRow, r#"select scope, reason, until, now() as "now!" from fleet_pause order by scope"#)
        .fetch_all(connection)
        .await
}

pub(super) async fn remove_those_over(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("delete from fleet_pause where until <= now()").execute(connection).await.map(|_| ())
}
