//! Pauses that the whole fleet keeps: one row for each in force.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::CharacterId;

use crate::{Store, StoreError, lease};

/// Everything that goes to ESI.
pub const SCOPE_ESI: &str = "esi";
/// All calls to the token endpoint.
pub const SCOPE_SSO: &str = "sso";

/// The bucket from which killmail bodies are paid: one for each address, so one for the fleet.
pub const SCOPE_BODIES: &str = "esi:killmail";

/// The bucket from which one character's list is paid.
#[must_use]
pub fn scope_of_list(character_id: CharacterId) -> String {
    format!("esi:char-killmail:{character_id}")
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub scope: String,
    pub reason: String,
    pub until: DateTime<Utc>,
    /// On the database's clock, so that a wrong clock here does not matter.
    pub remaining: Duration,
}

impl Store {
    /// Begins a pause, or lengthens the one in force; never shortens it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pause(&self, scope: &str, reason: &str, span: Duration) -> Result<(), StoreError> {
        sqlx::query!(
            r#"insert into fleet_pause as p (scope, reason, until) values ($1, $2, now() + make_interval(secs => $3))
               on conflict (scope) do update set reason = excluded.reason, until = excluded.until,
                   created_at = case when p.until > now() then p.created_at else now() end
               where excluded.until > p.until"#,
            scope,
            reason,
            lease::seconds(span)
        )
        .execute(&self.pool)
        .await
        .map_err(StoreError::during("recording a pause"))?;
        Ok(())
    }

    /// The pauses in force. Rows of pauses that are over are removed on the way.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        let doing = "reading the pauses";
        let rows = sqlx::query!(
            r#"select scope, reason, until, extract(epoch from until - now())::double precision as "remaining!"
               from fleet_pause order by scope"#
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::during(doing))?;
        let (in_force, over): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.remaining > 0.0);
        if !over.is_empty() {
            sqlx::query!("delete from fleet_pause where until <= now()")
                .execute(&self.pool)
                .await
                .map_err(StoreError::during(doing))?;
        }
        Ok(in_force
            .into_iter()
            .map(|row| Pause {
                scope: row.scope,
                reason: row.reason,
                until: row.until,
                remaining: Duration::try_from_secs_f64(row.remaining).unwrap_or(Duration::MAX),
            })
            .collect())
    }
}
