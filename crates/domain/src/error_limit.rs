//! The legacy error limit of ESI: a hundred errors in a minute, of all routes and all clients of an address together.
//! Whoever spends it is refused everywhere until the minute ends (ESI documentation, "Rate limiting").

use std::time::Duration;

/// What ESI said is left of it, just after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorLimit {
    /// Errors that may still be made before it is spent.
    pub remaining: u32,
    /// Until all of them may be made again.
    pub resets_in: Duration,
}
