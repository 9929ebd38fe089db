//! What all handlers share: the adapters, and the rules of this process.

use std::time::Duration;

use esi::{Esi, EsiError};
use service::metrics as names;
use store::Store;

use crate::pauses::Pauses;
use crate::refresh::Refresher;

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

    pub(crate) fn count_answer(&self, route: &'static str, error: Option<&EsiError>) {
        let result = error.map_or("ok", |error| error.kind().name());
        metrics::counter!(names::ESI_REQUESTS, "route" => route, "result" => result).increment(1);
    }
}
