//! What all handlers share: the adapters, and the rules of this process.

use std::time::Duration;

use domain::{Failure, FailureClass};
use esi::{Esi, EsiError};
use service::metrics as names;
use store::breaker::ClientRefused;
use store::{Store, StoreError};
use tracing::{debug, error, warn};

use crate::pauses::Pauses;
use crate::refresh::{Refresher, alarm};

#[derive(Debug)]
pub struct Worker {
    pub refresher: Refresher,
    pub esi: Esi,
    /// An access token with no more than this left is refreshed first.
    pub token_buffer: Duration,
    pub pauses: Pauses,
}

impl Worker {
    pub(crate) fn store(&self) -> &Store {
        self.refresher.store()
    }

    /// After a refresh that failed. When our client was refused, all refreshes of the fleet pause: one alarm for all of
    /// them, until somebody mends it.
    pub(crate) async fn refresh_failed(&self, failure: &Failure) -> Result<(), StoreError> {
        if failure.class == FailureClass::Configuration {
            match self.store().refuse_client(&failure.reason).await? {
                ClientRefused::PauseBegins => {
                    alarm("client_refused");
                    let settings = "check KILLFLEET_CLIENT_ID and KILLFLEET_CLIENT_SECRET";
                    error!(reason = %failure, "EVE SSO refuses our client, and all refreshes pause: {settings}");
                }
                ClientRefused::PauseGoesOn => warn!(reason = %failure, "EVE SSO still refuses our client"),
                ClientRefused::Known => debug!(reason = %failure, "EVE SSO refuses our client"),
            }
        }
        self.pauses.look_again().await;
        Ok(())
    }

    pub(crate) fn count_answer(&self, route: &'static str, error: Option<&EsiError>) {
        let result = error.map_or("ok", |error| error.kind().name());
        metrics::counter!(names::ESI_REQUESTS, "route" => route, "result" => result).increment(1);
    }
}
