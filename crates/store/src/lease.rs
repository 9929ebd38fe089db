//! How long a claim, and a hint, are believed. One table, because the spans depend on one another: each lease outlives
//! the longest call that is made under it, and a hint is repeated only after it can no longer be on its way.

use std::time::Duration;

use uuid::Uuid;

/// Who asks for a claim: the message that is being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimant {
    pub job_id: Uuid,
    /// The message has been delivered before, and whoever had it then is gone: a lease that was taken for this very
    /// message does not count. One that another message's holder has taken does, for that one may well be alive.
    pub take_over: bool,
}

/// A hint that nobody has acted on for this long is given again by the next tick.
pub const HINT_STALE_AFTER: Duration = Duration::from_secs(300);
/// Renewed with every page. Between two pages there is a call (30 s at the most), and there can be a wait for somebody
/// else's refresh and one of our own. Should that ever take longer, the fence keeps the data right.
pub const LIST: Duration = Duration::from_secs(300);
/// For a whole batch of bodies; a batch is cut off after [`DETAIL_WORK`].
pub const DETAIL: Duration = Duration::from_secs(300);
/// After this a batch of bodies begins no further call and leaves the rest to a new job.
pub const DETAIL_WORK: Duration = Duration::from_secs(120);
/// One call to the token endpoint (30 s) and the saving of its answer.
pub const REFRESH: Duration = Duration::from_secs(60);

pub(crate) fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}
