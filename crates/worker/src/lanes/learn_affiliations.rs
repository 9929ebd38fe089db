//! Learning in which corporations characters are, many with one call: ESI's route for it has no budget of its own but the
//! error limit, so a tick queues one job of them at most.

use std::time::Duration;

use domain::{CharacterId, Counted, FailureClass, Outcome, Verdict};
use esi::EsiErrorKind;
use store::StoreError;
use store::pause::SCOPE_AFFILIATIONS;
use tracing::warn;

use super::Delivery;
use crate::worker::Worker;

/// ESI tells of nobody if it does not know one of them, so that one is searched for by halves: twenty calls find one among
/// a thousand. If it refuses all of them it is our mistake, and no reason to ask it as often as there are ticks.
const CALLS_MAX: u32 = 24;
const AFTER_MANY_CALLS: Duration = Duration::from_secs(60 * 60);
const ANOTHER_DAY: Duration = Duration::from_secs(24 * 60 * 60);
const AFTER_TROUBLE: Duration = Duration::from_secs(15 * 60);

/// Whatever happens to this job, those of whom nothing was learned are due again: within minutes if it just ends.
pub(crate) async fn learn_affiliations(
    worker: &Worker,
    character_ids: &[CharacterId],
    delivery: &Delivery,
) -> Result<Outcome, StoreError> {
    let store = worker.store();
    let mut groups = vec![character_ids.to_vec()];
    let mut calls = 0;
    while let Some(group) = groups.pop() {
        if delivery.stop.is_cancelled() || calls == CALLS_MAX {
            groups.push(group);
            let delay = if calls == CALLS_MAX { AFTER_MANY_CALLS } else { Duration::ZERO };
            store.put_off_affiliations(&groups.concat(), delay).await?;
            return Ok(Verdict::skipped("the rest is left to another job").into());
        }
        if let Some(wait) = worker.pauses.wait_for_esi(store, SCOPE_AFFILIATIONS).await? {
            groups.push(group);
            let delay = if let FailureClass::Wait(delay) = wait.class { delay } else { AFTER_TROUBLE };
            store.put_off_affiliations(&groups.concat(), delay).await?;
            return Ok(Verdict::RetryAfter { delay, reason: wait.reason, counted: Counted::Nothing }.into());
        }
        calls += 1;
        let answer = worker.esi.affiliations(&group).await;
        worker.heard("affiliation", &answer).await?;
        match answer {
            Ok(answer) => {
                // Of whom ESI says nothing it would say nothing again.
                store.put_off_affiliations(&group, ANOTHER_DAY).await?;
                store.save_affiliations(&answer.value).await?;
            }
            Err(error) => {
                worker.pauses.remember(store, SCOPE_AFFILIATIONS, &error).await?;
                let is_one_unknown = matches!(error.kind(), EsiErrorKind::Refused { status: 400 | 404 });
                match &group[..] {
                    [unknown] if is_one_unknown => {
                        warn!(character.id = unknown.get(), "ESI does not know this character");
                        store.put_off_affiliations(&group, ANOTHER_DAY).await?;
                    }
                    [_, _, ..] if is_one_unknown => {
                        let (one, other) = group.split_at(group.len() / 2);
                        groups.extend([one.to_vec(), other.to_vec()]);
                    }
                    _ => {
                        groups.push(group);
                        store.put_off_affiliations(&groups.concat(), AFTER_TROUBLE).await?;
                        let (delay, reason) = (AFTER_TROUBLE, error.failure().reason);
                        return Ok(Verdict::RetryAfter { delay, reason, counted: Counted::Attempt }.into());
                    }
                }
            }
        }
    }
    Ok(Verdict::Done.into())
}
