//! What the fleet does: seven kinds of job, the lanes they travel in, and the message that carries them.
//!
//! A message is a hint with ids in it, never a token and never a name: the database row is the truth, so a message
//! that is lost, repeated or late does no harm.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::ids::{CharacterId, CorporationId, KillmailId, TokenStreamId};

/// Killmails in one [`Job::FetchDetails`] at the most: small enough to finish well inside its lease at 2 bodies a second.
pub const KILLMAILS_PER_JOB_MAX: usize = 50;

/// Characters in one [`Job::LearnAffiliations`] at the most: as many as ESI tells of at once.
pub const AFFILIATIONS_PER_JOB_MAX: usize = 1000;

/// More than three times what the longest message takes. What is longer is not looked into: reading it could take many
/// times its size of memory.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The version that this build writes and reads. A change that an older worker would misread raises it, together
/// with the version in the names of the queues.
pub const MESSAGE_VERSION: u32 = 1;

/// A queue of its own for every kind of job, so that a long backlog of one does not hold up the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    List,
    Detail,
    Refresh,
}

impl Lane {
    pub const ALL: [Self; 3] = [Self::List, Self::Detail, Self::Refresh];

    /// The word in queue names, settings, logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Detail => "detail",
            Self::Refresh => "refresh",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.name() == name)
    }
}

/// How deep a walk through a killmail list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncMode {
    /// Page 1, and deeper only as long as pages bring something new.
    New,
    /// Every page.
    Full,
}

/// Bring one character's killmail list up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncList {
    pub character_id: CharacterId,
    pub mode: SyncMode,
}

/// One piece of work. Everything it needs beyond these ids is read from the database when it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Make sure the token is good, walk the list, remember the references, ask for the bodies.
    SyncList(SyncList),
    /// Bring one corporation's killmail list up to date, with the token of a director.
    SyncCorporationList { corporation_id: CorporationId, mode: SyncMode },
    /// Ask in which corporations these characters are.
    LearnAffiliations { character_ids: Vec<CharacterId> },
    /// Fetch and store the bodies that are still wanted.
    FetchDetails { killmail_ids: Vec<KillmailId> },
    /// Renew a token stream that is inside the buffer, then walk the list.
    RefreshToken { token_stream_id: TokenStreamId, then: SyncList },
    /// Renew a token stream for its own sake: it was not used for long, its probe is due, or all others wait for it.
    ExerciseToken { token_stream_id: TokenStreamId },
    /// Ask whether a login that nobody has used for an hour still stands.
    LookAtToken { token_stream_id: TokenStreamId },
}

impl Job {
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::SyncList(_) | Self::SyncCorporationList { .. } | Self::LearnAffiliations { .. } => Lane::List,
            Self::FetchDetails { .. } => Lane::Detail,
            Self::RefreshToken { .. } | Self::ExerciseToken { .. } | Self::LookAtToken { .. } => Lane::Refresh,
        }
    }

    /// The word for this kind of job in logs, metrics and messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SyncList(_) => "sync_list",
            Self::SyncCorporationList { .. } => "sync_corporation_list",
            Self::LearnAffiliations { .. } => "learn_affiliations",
            Self::FetchDetails { .. } => "fetch_details",
            Self::RefreshToken { .. } => "refresh_token",
            Self::ExerciseToken { .. } => "exercise_token",
            Self::LookAtToken { .. } => "look_at_token",
        }
    }

    /// Jobs that fetch all these bodies, [`KILLMAILS_PER_JOB_MAX`] in each.
    pub fn fetch_details(killmail_ids: &[KillmailId]) -> impl Iterator<Item = Self> {
        killmail_ids.chunks(KILLMAILS_PER_JOB_MAX).map(|chunk| Self::FetchDetails { killmail_ids: chunk.to_vec() })
    }
}

/// A job on its way, with what logs need to follow it from the scheduler to the stored body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobMessage {
    /// Identifies this message; also its AMQP `message-id`.
    pub job_id: Uuid,
    /// Shared by all jobs that follow from one decision of the scheduler.
    pub trace_id: Uuid,
    /// On the clock of the process that published it: for logs only.
    pub enqueued_at: DateTime<Utc>,
    pub job: Job,
}

/// What a handler gets.
#[derive(Debug, Clone)]
pub struct Delivered {
    pub message: JobMessage,
    /// The message was delivered before and not acknowledged: its job may have been begun, or even done.
    pub redelivered: bool,
}

/// Why bytes from a queue are not a job of ours. Such a message is parked, never retried.
#[derive(Debug, Error)]
pub enum UnreadableMessage {
    #[error("it has {found} bytes, {MESSAGE_BYTES_MAX} are allowed")]
    TooLong { found: usize },
    #[error("it is not JSON of our form")]
    NotOurJson(#[source] serde_json::Error),
    #[error("it has version {found}, this build reads version {MESSAGE_VERSION}")]
    OtherVersion { found: u32 },
    #[error("it names {found} killmails, {KILLMAILS_PER_JOB_MAX} are allowed")]
    TooManyKillmails { found: usize },
    #[error("it names {found} characters, {AFFILIATIONS_PER_JOB_MAX} are allowed")]
    TooManyCharacters { found: usize },
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct Wire<J> {
    v: u32,
    job_id: Uuid,
    trace_id: Uuid,
    enqueued_at: DateTime<Utc>,
    job: J,
}

impl JobMessage {
    /// `job_id` is a fresh UUID of version 7: the time at which it was made is when the message was enqueued.
    #[must_use]
    pub fn identified(job_id: Uuid, trace_id: Uuid, job: Job) -> Self {
        let made_at = job_id.get_timestamp().map(|timestamp| timestamp.to_unix());
        let enqueued_at = made_at
            .and_then(|(seconds, nanoseconds)| DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds));
        // For logs only, so an id of another kind, which holds no time, is no reason to stop.
        Self { job_id, trace_id, enqueued_at: enqueued_at.unwrap_or_default(), job }
    }

    /// # Errors
    /// [`UnreadableMessage`] says what is wrong; the version is looked at first, so that a newer message is named as such.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnreadableMessage> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(UnreadableMessage::TooLong { found: bytes.len() });
        }
        let VersionOnly { v } = serde_json::from_slice(bytes).map_err(UnreadableMessage::NotOurJson)?;
        if v != MESSAGE_VERSION {
            return Err(UnreadableMessage::OtherVersion { found: v });
        }
        let wire: Wire<Job> = serde_json::from_slice(bytes).map_err(UnreadableMessage::NotOurJson)?;
        match &wire.job {
            Job::FetchDetails { killmail_ids } if killmail_ids.len() > KILLMAILS_PER_JOB_MAX => {
                return Err(UnreadableMessage::TooManyKillmails { found: killmail_ids.len() });
            }
            Job::LearnAffiliations { character_ids } if character_ids.len() > AFFILIATIONS_PER_JOB_MAX => {
                return Err(UnreadableMessage::TooManyCharacters { found: character_ids.len() });
            }
            _ => {}
        }
        Ok(Self { job_id: wire.job_id, trace_id: wire.trace_id, enqueued_at: wire.enqueued_at, job: wire.job })
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let wire = Wire {
            v: MESSAGE_VERSION,
            job_id: self.job_id,
            trace_id: self.trace_id,
            enqueued_at: self.enqueued_at,
            job: &self.job,
        };
        serde_json::to_vec(&wire).expect("numbers, ids and times always have a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(job: Job) -> JobMessage {
        JobMessage {
            job_id: Uuid::from_u128(1),
            trace_id: Uuid::from_u128(2),
            enqueued_at: DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
            job,
        }
    }

    fn then() -> SyncList {
        SyncList { character_id: CharacterId::parse(90_000_001).unwrap(), mode: SyncMode::New }
    }

    #[test]
    fn the_wire_form_is_what_other_versions_will_meet() {
        let refresh = Job::RefreshToken { token_stream_id: TokenStreamId::parse(7).unwrap(), then: then() };
        assert_eq!(
            String::from_utf8(message(refresh).encode()).unwrap(),
            r#"{"v":1,"job_id":"00000000-0000-0000-0000-000000000001","trace_id":"00000000-0000-0000-0000-000000000002","enqueued_at":"2026-11-18T11:06:40Z","job":{"kind":"refresh_token","token_stream_id":7,"then":{"character_id":90000001,"mode":"new"}}}"#
        );
    }

    #[test]
    fn an_exercise_names_its_stream_alone() {
        let job = Job::ExerciseToken { token_stream_id: TokenStreamId::parse(7).unwrap() };
        let encoded = String::from_utf8(message(job.clone()).encode()).unwrap();
        assert!(encoded.ends_with(r#""job":{"kind":"exercise_token","token_stream_id":7}}"#), "{encoded}");
        assert_eq!(JobMessage::decode(encoded.as_bytes()).unwrap(), message(job));
    }

    #[test]
    fn a_corporations_jobs_hold_ids_alone() {
        let corporation_id = CorporationId::parse(98_000_001).unwrap();
        let cases = [
            (
                Job::SyncCorporationList { corporation_id, mode: SyncMode::New },
                r#""job":{"kind":"sync_corporation_list","corporation_id":98000001,"mode":"new"}}"#,
            ),
            (
                Job::LearnAffiliations { character_ids: vec![then().character_id] },
                r#""job":{"kind":"learn_affiliations","character_ids":[90000001]}}"#,
            ),
        ];
        for (job, form) in cases {
            assert_eq!(job.lane(), Lane::List);
            let encoded = String::from_utf8(message(job.clone()).encode()).unwrap();
            assert!(encoded.ends_with(form), "{encoded}");
            assert_eq!(JobMessage::decode(encoded.as_bytes()).unwrap(), message(job));
        }
        let longest = (1..=1000).map(|id| CharacterId::parse(i64::MAX - id).unwrap()).collect();
        let longest = message(Job::LearnAffiliations { character_ids: longest });
        assert!(longest.encode().len() * 3 < MESSAGE_BYTES_MAX);
        assert_eq!(JobMessage::decode(&longest.encode()).unwrap(), longest);
        let character_ids = (1..=1001).map(|id| CharacterId::parse(id).unwrap()).collect();
        let too_many = message(Job::LearnAffiliations { character_ids }).encode();
        assert!(matches!(JobMessage::decode(&too_many), Err(UnreadableMessage::TooManyCharacters { found: 1001 })));
    }

    #[test]
    fn what_is_not_ours_is_named() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "not JSON of our form"),
            (b"<html>", "not JSON of our form"),
            (br#"{"v":2,"job":{"kind":"from_the_future"}}"#, "version 2"),
            (br#"{"v":1,"job":{"kind":"dance"}}"#, "not JSON of our form"),
            (br#"{"v":1,"job_id":"00000000-0000-0000-0000-000000000001","trace_id":"00000000-0000-0000-0000-000000000002","enqueued_at":"2026-11-18T11:06:40Z","job":{"kind":"sync_list","character_id":-1,"mode":"new"}}"#, "not JSON of our form"),
        ];
        for (bytes, expected) in cases {
            let error = JobMessage::decode(bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{error:?} for {:?}", String::from_utf8_lossy(bytes));
        }
        let long = "[".repeat(MESSAGE_BYTES_MAX);
        assert!(matches!(JobMessage::decode(long.as_bytes()), Err(UnreadableMessage::NotOurJson(_))));
        let too_long = JobMessage::decode(format!("{long}[").as_bytes());
        assert!(matches!(too_long, Err(UnreadableMessage::TooLong { found: 65_537 })));
        let killmail_ids = (1..=51).map(|id| KillmailId::parse(id).unwrap()).collect();
        let too_many = message(Job::FetchDetails { killmail_ids }).encode();
        assert!(matches!(JobMessage::decode(&too_many), Err(UnreadableMessage::TooManyKillmails { found: 51 })));
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(ids in prop::collection::vec(1..i64::MAX, 0..=KILLMAILS_PER_JOB_MAX)) {
            let killmail_ids = ids.into_iter().map(|id| KillmailId::parse(id).unwrap()).collect();
            let message = message(Job::FetchDetails { killmail_ids });
            prop_assert_eq!(JobMessage::decode(&message.encode()).unwrap(), message);
        }

        #[test]
        fn no_bytes_at_all_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = JobMessage::decode(&bytes);
        }

        #[test]
        fn every_killmail_is_in_exactly_one_job(count in 0..500_i64) {
            let ids: Vec<_> = (1..=count).map(|id| KillmailId::parse(id).unwrap()).collect();
            let mut seen = Vec::new();
            for job in Job::fetch_details(&ids) {
                let Job::FetchDetails { killmail_ids } = job else { panic!("another kind of job") };
                prop_assert!(killmail_ids.len() <= KILLMAILS_PER_JOB_MAX);
                seen.extend(killmail_ids);
            }
            prop_assert_eq!(seen, ids);
        }
    }
}
