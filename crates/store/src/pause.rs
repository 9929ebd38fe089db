//! Pauses that the whole fleet keeps: one row for each in force.

mod postgres;
mod sqlite;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::CharacterId;

use crate::access::{Access, dialect};
use crate::{Store, StoreError};

/// Everything that goes to ESI.
pub const SCOPE_ESI: &str = "esi";
/// All calls to the token endpoint, because EVE SSO is not believed or refuses our client. The canary does not keep it,
/// and a grant ends it.
pub const SCOPE_SSO: &str = "sso";
/// All calls to the token endpoint, because EVE SSO has told us to wait: everybody keeps it, to its end.
pub const SCOPE_SSO_WAIT: &str = "sso:wait";
/// What a refresh waits for.
pub const SCOPES_OF_REFRESHES: [&str; 2] = [SCOPE_SSO, SCOPE_SSO_WAIT];
/// Questions to a provider whether access tokens stand.
pub const SCOPE_VALIDATE: &str = "sso:validate";

/// The bucket from which killmail bodies are paid: one for each address, so one for the fleet.
pub const SCOPE_BODIES: &str = "esi:killmail";

/// The bucket from which one character's list is paid.
#[must_use]
pub fn scope_of_list(character_id: CharacterId) -> String {
    format!("esi:char-killmail:{character_id}")
}

/// The bucket from which a corporation's list is paid, if it is read with a token of this character: each of its
/// directors has one.
#[must_use]
pub fn scope_of_corporation_list(director: CharacterId) -> String {
    format!("esi:corp-killmail:{director}")
}

/// The way to ESI's route of affiliations.
pub const SCOPE_AFFILIATIONS: &str = "esi:affiliation";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub scope: String,
    pub reason: String,
    pub until: DateTime<Utc>,
    /// On the database's clock, so that a wrong clock here does not matter.
    pub remaining: Duration,
}

impl Pause {
    #[must_use]
    pub fn is_of_refreshes(&self) -> bool {
        SCOPES_OF_REFRESHES.contains(&self.scope.as_str())
    }
}

impl Store {
    /// Begins a pause, or lengthens the one in force; never shortens it. False if one that lasts as long is in force.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pause(&self, scope: &str, reason: &str, span: Duration) -> Result<bool, StoreError> {
        let mut access = self.change("recording a pause").await?;
        let is_news = dialect!(access, pause(scope, reason, span))?;
        access.commit().await?;
        Ok(is_news)
    }

    /// The pauses in force. Rows of pauses that are over are removed on the way.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        let doing = "reading the pauses";
        let rows = dialect!(self.read(doing).await?, list())?;
        let (in_force, over): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.until > row.now);
        if !over.is_empty() {
            let mut access = self.change(doing).await?;
            dialect!(access, remove_those_over())?;
            access.commit().await?;
        }
        Ok(in_force
            .into_iter()
            .map(|row| Pause {
                remaining: (row.until - row.now).to_std().unwrap_or(Duration::ZERO),
                scope: row.scope,
                reason: row.reason,
                until: row.until,
            })
            .collect())
    }
}

/// As [`Store::pause`], as part of what else happens.
pub(crate) async fn pause_within(
    transaction: &mut Access,
    scope: &str,
    reason: &str,
    span: Duration,
) -> Result<(), StoreError> {
    dialect!(*transaction, pause(scope, reason, span))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct PauseRow {
    scope: String,
    reason: String,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
}
