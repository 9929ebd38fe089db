//! The one place that reads the clock.
//!
//! The rule: the model never asks what time it is, it is told. So its tests take no time.

use chrono::{DateTime, Utc};

/// The present moment.
#[must_use]
pub fn now() -> DateTime<Utc> {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else in the simulator is given")]
    Utc::now()
}
