//! What a tick of the scheduler says of itself, as JSON. The names are a contract, and there are no others.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tick {
    pub(crate) due: u64,
    pub(crate) queued_list: u64,
    pub(crate) queued_refresh: u64,
    pub(crate) queued_exercise: u64,
    pub(crate) queued_look: u64,
    pub(crate) queued_detail_killmails: u64,
    pub(crate) skipped: BTreeMap<String, u64>,
    pub(crate) waiting_for_room: u64,
    pub(crate) unconfirmed: u64,
}

impl Tick {
    pub(crate) fn parse(line: &str) -> Self {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("no summary of a tick ({error}): {line}"))
    }

    /// So many characters went to the list lane, and nothing else happened.
    pub(crate) fn only_listed(characters: u64) -> Self {
        Self { due: characters, queued_list: characters, ..Self::default() }
    }

    /// So many characters went to the refresh lane, and nothing else happened.
    pub(crate) fn only_refreshed(characters: u64) -> Self {
        Self { due: characters, queued_refresh: characters, ..Self::default() }
    }
}
