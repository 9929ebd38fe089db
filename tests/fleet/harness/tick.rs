//! What a tick of the scheduler says of itself, as JSON. The names are a contract, and there are no others.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tick {
    pub(crate) due: u64,
    pub(crate) queued_list: u64,
    pub(crate) queued_refresh: u64,
    pub(crate) queued_corporation: u64,
    pub(crate) queued_affiliations: u64,
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

    /// So many corporations went to the list lane, and nothing else happened.
    pub(crate) fn only_corporations(corporations: u64) -> Self {
        Self { queued_corporation: corporations, ..Self::default() }
    }

    /// Of so many characters it is asked in which corporation they are, and nothing else happened.
    pub(crate) fn only_affiliations(characters: u64) -> Self {
        Self { queued_affiliations: characters, ..Self::default() }
    }

    /// So many characters went to the refresh lane, and nothing else happened.
    pub(crate) fn only_refreshed(characters: u64) -> Self {
        Self { due: characters, queued_refresh: characters, ..Self::default() }
    }
}
