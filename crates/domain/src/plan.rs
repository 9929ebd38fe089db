//! The scheduler's decision for one due character, and the sum of a tick.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::ids::CharacterId;
use crate::job::{Job, SyncList, SyncMode};
use crate::token::{self, Choice, NoToken, Stream};

/// A character whose list is due, as the store loads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueCharacter {
    pub character_id: CharacterId,
    pub streams: Vec<Stream>,
}

/// What is to be queued for a due character, or why nothing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    Queue(Job),
    Skip(NoToken),
}

/// A token that outlives the buffer sends the character to the list lane; one that does not but can be renewed sends
/// it to the refresh lane first (without this, the buffer rule starves a fleet: a 20-minute token and a 15-minute
/// interval never meet).
#[must_use]
pub fn plan(character: &DueCharacter, mode: SyncMode, now: DateTime<Utc>, buffer: Duration) -> Plan {
    let sync = SyncList { character_id: character.character_id, mode };
    match token::choose(&character.streams, now, buffer) {
        Choice::Use(_) => Plan::Queue(Job::SyncList(sync)),
        Choice::Refresh(token_stream_id) => Plan::Queue(Job::RefreshToken { token_stream_id, then: sync }),
        Choice::Nothing(reason) => Plan::Skip(reason),
    }
}

/// What a tick did; printed as one line.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct TickSummary {
    /// Characters whose list was due and for whom no hint was out.
    pub due: u64,
    pub queued_list: u64,
    pub queued_refresh: u64,
    /// Corporations whose list is read.
    pub queued_corporation: u64,
    /// Characters of which it is asked in which corporation they are.
    pub queued_affiliations: u64,
    /// Token streams that are refreshed for their own sake.
    pub queued_exercise: u64,
    /// Token streams of which it is asked whether they still stand.
    pub queued_look: u64,
    /// Killmail bodies that were wanted, due and in nobody's hands.
    pub queued_detail_killmails: u64,
    /// Characters that were due but could not be queued, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Characters that stay due because their lane holds enough jobs already.
    pub waiting_for_room: u64,
    /// Jobs that the broker did not confirm: their rows are due again at once.
    pub unconfirmed: u64,
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::ids::TokenStreamId;
    use crate::token::{DEFAULT_BUFFER, Health};

    #[test]
    fn table_of_plans() {
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let character_id = CharacterId::parse(90_000_001).unwrap();
        let token_stream_id = TokenStreamId::parse(7).unwrap();
        let sync = SyncList { character_id, mode: SyncMode::New };
        let refresh = Plan::Queue(Job::RefreshToken { token_stream_id, then: sync });
        let list = Plan::Queue(Job::SyncList(sync));
        let cases = [
            (Some(1199), true, list.clone()),
            (Some(301), true, list.clone()),
            (Some(300), true, refresh.clone()),
            (Some(-90_000), true, refresh.clone()),
            (None, true, refresh),
            (Some(301), false, list),
            (Some(300), false, Plan::Skip(NoToken::NeedsLogin)),
            (None, false, Plan::Skip(NoToken::BothTokensMissing)),
        ];
        for (left_seconds, has_refresh_token, expected) in cases {
            let stream = Stream {
                token_stream_id,
                health: Health::fresh(),
                has_access_token: left_seconds.is_some(),
                has_refresh_token,
                lacks_scope: false,
                last_error_at: None,
                expires_at: left_seconds.map(|seconds| now + TimeDelta::seconds(seconds)),
            };
            let character = DueCharacter { character_id, streams: vec![stream] };
            let plan = plan(&character, SyncMode::New, now, DEFAULT_BUFFER);
            assert_eq!(plan, expected, "{left_seconds:?} s left, refresh token: {has_refresh_token}");
        }
    }
}
