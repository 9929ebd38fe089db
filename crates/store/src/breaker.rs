//! Whether the fleet believes EVE SSO: the mass-failure breaker, and the pause after EVE SSO has refused our client.
//!
//! Both stand in one row, `sso_breaker`. Whoever rules on a refusal holds its lock, in the transaction that marks the
//! login, and counts what is committed by then: so a wave over many workers is counted one by one. It is taken after
//! the stream's own lock and before that of the pause, by everybody.

mod postgres;
mod sqlite;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::TokenStreamId;
use domain::token::breaker::{self, CANARY_EVERY, RefusedLogin, Ruling, Seen, WINDOW};
use domain::token::refusal::configuration_pause;

use crate::access::{Access, dialect};
use crate::pause::{self, SCOPE_SSO};
use crate::{Store, StoreError};

/// Of an open breaker. Renewed with every canary; a fleet that has stood still for longer finds out by its next
/// refresh.
const PAUSE: Duration = Duration::from_secs(20 * 60);

/// While some processes have a wrong secret and others the right one, such pauses begin and end all the time. Only when the
/// last one is over for so long is the next one another matter, of which the operator is told anew.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);

/// What came of a refusal of our client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientRefused {
    /// All refreshes pause from now on: the operator has to be told.
    PauseBegins,
    /// They were tried again after a pause, or have been granted to others meanwhile, and pause again.
    PauseGoesOn,
    /// Others have told of it before.
    Known,
}

#[derive(sqlx::FromRow)]
struct Row {
    opened_at: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
    reason: Option<String>,
    canary_stream_id: Option<i64>,
    canary_at: Option<DateTime<Utc>>,
    canaries_refused: i32,
    /// Since our client was last taken.
    client_refusals: i32,
    /// The end of the last pause for it, also when that has come early.
    client_refused_until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}

impl Row {
    /// What the pause says, after so many canaries that were refused.
    fn told(&self, canaries_refused: i32) -> String {
        breaker::reason(self.reason.as_deref().unwrap_or_default(), canaries_refused.unsigned_abs())
    }
}

#[derive(sqlx::FromRow)]
struct Counted {
    granted: i64,
    refused: i64,
    turned_suspect: i64,
    doubted_since_closed: i64,
}

/// What was decided on a refusal.
pub(crate) struct Ruled {
    pub(crate) ruling: Ruling,
    /// Of the pause that begins with it.
    pub(crate) reason: Option<String>,
}

impl Store {
    /// The stream to be tried, while the breaker is open; none while it is closed, or less than a minute after the last
    /// one. One whose last refresh was good comes first, then whoever has waited longest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_canary(&self) -> Result<Option<TokenStreamId>, StoreError> {
        if !dialect!(self.read(TRYING).await?, is_open())? {
            return Ok(None);
        }
        let mut transaction = self.transaction(TRYING).await?;
        let row = dialect!(transaction, lock())?;
        if row.opened_at.is_none() {
            return Ok(None);
        }
        pause::pause_within(&mut transaction, SCOPE_SSO, &row.told(row.canaries_refused), PAUSE).await?;
        let is_early = row.canary_at.is_some_and(|at| (row.now - at).to_std().is_ok_and(|since| since < CANARY_EVERY));
        let canary = if is_early { None } else { dialect!(transaction, choose_canary())? };
        if let Some(token_stream_id) = canary {
            dialect!(transaction, set_canary(token_stream_id))?;
        }
        transaction.commit().await?;
        canary.map(|id| TokenStreamId::parse(id).map_err(StoreError::unexpected)).transpose()
    }

    /// EVE SSO has refused the client of this fleet: all refreshes pause, for longer than the last time, unless they do
    /// already. The first answer that does not refuse it ends the pause.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refuse_client(&self, reason: &str) -> Result<ClientRefused, StoreError> {
        let mut transaction = self.transaction("recording a refused client").await?;
        let row = dialect!(transaction, lock())?;
        let left = row.client_refused_until.and_then(|until| (until - row.now).to_std().ok());
        // A clock that stood in the future is no reason to go on asking.
        if left.is_some_and(|left| !left.is_zero() && left <= configuration_pause(u32::MAX)) {
            return Ok(ClientRefused::Known);
        }
        let since = row.client_refused_until.and_then(|until| (row.now - until).to_std().ok());
        let is_told = row.client_refusals > 0 || since.is_some_and(|since| since < TOLD_AGAIN_AFTER);
        let refusals = row.client_refusals.unsigned_abs() + 1;
        let span = configuration_pause(refusals);
        dialect!(transaction, client_refused(span))?;
        pause::pause_within(&mut transaction, SCOPE_SSO, reason, span).await?;
        transaction.commit().await?;
        Ok(if is_told { ClientRefused::PauseGoesOn } else { ClientRefused::PauseBegins })
    }

    /// Whether this stream is the one to be tried, although all refreshes pause.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_canary(&self, token_stream_id: TokenStreamId) -> Result<bool, StoreError> {
        dialect!(self.read(TRYING).await?, is_canary(token_stream_id))
    }
}

const TRYING: &str = "looking for a login to try";

/// Decides on a login that was refused for its user's sake, and begins or renews the pause if it comes to that.
pub(crate) async fn rule(
    transaction: &mut Access,
    token_stream_id: TokenStreamId,
    login: RefusedLogin,
) -> Result<Ruled, StoreError> {
    let row = dialect!(*transaction, lock())?;
    // One that lies in the future was closed under a wrong clock, and nothing has happened since.
    let closed_at = row.closed_at.filter(|closed_at| *closed_at <= row.now);
    let counted = dialect!(*transaction, count(WINDOW, closed_at))?;
    let seen = Seen {
        granted: counted.granted.unsigned_abs(),
        refused: counted.refused.unsigned_abs(),
        turned_suspect: counted.turned_suspect.unsigned_abs(),
        doubted_since_closed: counted.doubted_since_closed.unsigned_abs(),
    };
    let ruling = breaker::rule(row.opened_at.is_some(), login, &seen);
    let mut reason = None;
    if ruling == Ruling::Open {
        let because = breaker::opened_because(&seen);
        dialect!(*transaction, open(&because))?;
        let told = breaker::reason(&because, 0);
        pause::pause_within(transaction, SCOPE_SSO, &told, PAUSE).await?;
        reason = Some(told);
    } else if row.opened_at.is_some() && row.canary_stream_id == Some(token_stream_id.get()) {
        dialect!(*transaction, count_canary())?;
        pause::pause_within(transaction, SCOPE_SSO, &row.told(row.canaries_refused + 1), PAUSE).await?;
    }
    Ok(Ruled { ruling, reason })
}

/// EVE SSO has granted a refresh: it takes our client, and if it was the canary's, it is believed again.
pub(crate) async fn granted(transaction: &mut Access, token_stream_id: TokenStreamId) -> Result<(), StoreError> {
    let is_closed = dialect!(*transaction, close_for(token_stream_id))?;
    let is_client_taken = dialect!(*transaction, client_is_taken())?;
    if is_closed || is_client_taken {
        dialect!(*transaction, end_pause_unless_open(SCOPE_SSO))?;
    }
    Ok(())
}

/// EVE SSO has refused a login and not our client.
pub(crate) async fn client_is_taken(transaction: &mut Access) -> Result<(), StoreError> {
    if dialect!(*transaction, client_is_taken())? {
        dialect!(*transaction, end_pause_unless_open(SCOPE_SSO))?;
    }
    Ok(())
}
