//! What all handlers share: the adapters, and the rules of this process.

use std::time::Duration;

use domain::tier::Tiers;
use domain::{Failure, FailureClass};
use esi::{Answered, Esi, EsiError};
use service::metrics as names;
use store::breaker::ClientRefused;
use store::{Store, StoreError, pause};
use tracing::{debug, error, warn};

use crate::pace::Pace;
use crate::pauses::Pauses;
use crate::refresh::{Refresher, alarm};

#[derive(Debug)]
pub struct Worker {
    pub refresher: Refresher,
    pub esi: Esi,
    /// An access token with no more than this left is refreshed first.
    pub token_buffer: Duration,
    /// How soon lists are looked at again.
    pub tiers: Tiers,
    pub pauses: Pauses,
    pub pace: Pace,
    /// Whether what EVE SSO answers here holds for the whole fleet. A command at somebody's terminal may have other
    /// settings: it pauses nobody and raises no alarm, and who gave it reads what went wrong.
    pub speaks_for_fleet: bool,
}

impl Worker {
    pub(crate) fn store(&self) -> &Store {
        self.refresher.store()
    }

    /// After a refresh that failed. When our client was refused, or EVE SSO has told us to wait, all refreshes of the
    /// fleet pause: whoever made the next one would be answered the same.
    pub(crate) async fn refresh_failed(&self, failure: &Failure) -> Result<(), StoreError> {
        match failure.class {
            FailureClass::Configuration if self.speaks_for_fleet => self.client_refused(failure).await?,
            FailureClass::Wait(span) if self.speaks_for_fleet => {
                warn!(reason = %failure, seconds = span.as_secs(), "EVE SSO has told us to wait: all refreshes pause");
                self.store().pause(pause::SCOPE_SSO_WAIT, &failure.reason, span).await?;
            }
            _ => {}
        }
        self.pauses.look_again().await;
        Ok(())
    }

    /// One alarm for all refusals, until somebody mends it.
    async fn client_refused(&self, failure: &Failure) -> Result<(), StoreError> {
        match self.store().refuse_client(&failure.reason).await? {
            ClientRefused::PauseBegins => {
                alarm("client_refused");
                error!(reason = %failure, "EVE SSO refuses our client, and all refreshes pause");
            }
            ClientRefused::PauseGoesOn => warn!(reason = %failure, "EVE SSO still refuses our client"),
            ClientRefused::Known => debug!(reason = %failure, "EVE SSO refuses our client"),
        }
        Ok(())
    }

    /// To be told of every answer of ESI, good or bad, and of every call without one.
    pub(crate) async fn heard<T>(
        &self,
        route: &'static str,
        answer: &Result<Answered<T>, EsiError>,
    ) -> Result<(), StoreError> {
        let (result, error_limit) = match answer {
            Ok(answer) => ("ok", answer.error_limit),
            Err(error) => (error.kind().name(), error.error_limit()),
        };
        metrics::counter!(names::ESI_REQUESTS, "route" => route, "result" => result).increment(1);
        if answer.is_ok() {
            self.pauses.succeeded();
        }
        match error_limit {
            Some(error_limit) => self.pauses.keep_error_limit(self.store(), error_limit).await,
            None => Ok(()),
        }
    }
}
