//! The broker's lanes, as a tick sees them.

use broker::{BrokerError, Publisher, message_for};
use domain::{Job, Lane};
use scheduler::{PublishedJobs, Room};
use service::classed;
use uuid::Uuid;

/// Hints of a lane that may stand in the broker: enough to keep every worker busy between two ticks, few enough that
/// losing the broker costs little and a late decision is not late by much.
const HINTS_PER_LANE_MAX: u32 = 5_000;
/// A hint of the detail lane is 50 killmails, and ESI gives an address about 600 in five minutes.
const DETAIL_HINTS_MAX: u32 = 100;

/// How many hints each lane can still take.
pub(crate) async fn room(publisher: &Publisher) -> anyhow::Result<Room> {
    let left = async |lane, most: u32| {
        let ready = publisher.ready_messages(lane).await.map_err(failed)?;
        anyhow::Ok(most.saturating_sub(ready))
    };
    Ok(Room {
        list: left(Lane::List, HINTS_PER_LANE_MAX).await?,
        detail: left(Lane::Detail, DETAIL_HINTS_MAX).await?,
        refresh: left(Lane::Refresh, HINTS_PER_LANE_MAX).await?,
    })
}

pub(crate) async fn publish(publisher: &Publisher, jobs: Vec<Job>) -> PublishedJobs {
    let messages: Vec<_> = jobs.into_iter().map(|job| message_for(job, Uuid::now_v7())).collect();
    let published = publisher.publish(&messages).await;
    PublishedJobs {
        confirmed: messages.iter().map(|message| published.confirmed.contains(&message.job_id)).collect(),
        failure: published.failure.map(failed),
    }
}

fn failed(error: BrokerError) -> anyhow::Error {
    classed(error.failure())
}
