//! Making messages: their identity is drawn here, and their time is in it.

use domain::{Job, JobMessage};
use uuid::Uuid;

/// A message for `job` with an identity of its own. `trace_id` is that of the decision it follows from; for a decision
/// that begins something, take a fresh one.
#[must_use]
pub fn message_for(job: Job, trace_id: Uuid) -> JobMessage {
    JobMessage::identified(Uuid::now_v7(), trace_id, job)
}

#[cfg(test)]
mod tests {
    use domain::job::SyncList;
    use domain::{CharacterId, SyncMode};

    use super::*;

    #[test]
    fn every_message_has_its_own_id_and_the_time_in_it() {
        let job = || Job::SyncList(SyncList { character_id: CharacterId::parse(1).unwrap(), mode: SyncMode::New });
        let trace_id = Uuid::from_u128(7);
        let [one, other] = [message_for(job(), trace_id), message_for(job(), trace_id)];
        assert_ne!(one.job_id, other.job_id);
        assert_eq!((one.trace_id, other.trace_id), (trace_id, trace_id));
        let milliseconds = one.job_id.as_u128() >> 80;
        assert_eq!(u128::try_from(one.enqueued_at.timestamp_millis()).unwrap(), milliseconds);
        assert_eq!(JobMessage::decode(&one.encode()).unwrap(), one);
    }
}
