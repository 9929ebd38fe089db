//! What a round has to say: a line of the table.

use crate::recovery::Recovery;

pub(crate) struct Report {
    pub(crate) fault: &'static str,
    pub(crate) seconds: u64,
    pub(crate) faults: u64,
    pub(crate) bodies: u64,
    pub(crate) lists: u64,
    pub(crate) token_calls: u64,
    pub(crate) repeated_bodies: u64,
    /// Asked for again before their `Expires`.
    pub(crate) repeated_pages: u64,
    /// Of each of both.
    pub(crate) repeats_allowed: u64,
    pub(crate) recovery: Recovery,
}

pub(crate) const HEAD: &str = "\
| fault | seconds | faults | bodies | lists | token calls | bodies, pages again (at most of each) | back after | minutes passed |
|---|--:|--:|--:|--:|--:|--:|--:|--:|";

impl Report {
    pub(crate) fn line(&self) -> String {
        let Self {
            fault,
            seconds,
            faults,
            bodies,
            lists,
            token_calls,
            repeated_bodies,
            repeated_pages,
            repeats_allowed,
            recovery,
        } = self;
        let after = recovery.after.as_secs_f64();
        let passed = recovery.minutes_passed;
        format!(
            "| {fault} | {seconds} | {faults} | {bodies} | {lists} | {token_calls} \
             | {repeated_bodies}, {repeated_pages} ({repeats_allowed}) \
             | {after:.1} s | {passed} |"
        )
    }
}
