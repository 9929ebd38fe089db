//! Knowing when there is nothing left to do: `--drain` works until then.
//!
//! Follow-ups are confirmed before their parent stops being in flight, so they are either in flight or in a queue at
//! every moment. Only what the broker has just sent and we have not begun yet is in neither count, for the time that
//! it takes to cross a socket: hence seen twice in a row.

use std::time::Duration;

use domain::Lane;
use lapin::Connection;
use tokio::time::{MissedTickBehavior, interval};

use crate::connection::{CALL_LIMIT, within};
use crate::error::BrokerError;
use crate::jobs::Jobs;
use crate::topology::Topology;

const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOKS_IN_A_ROW: u32 = 2;

/// Ends when all `lanes` were empty and nothing was in flight at two looks in a row.
pub(crate) async fn until_empty(
    connection: &Connection,
    topology: &Topology,
    lanes: &[Lane],
    jobs: &Jobs,
) -> Result<(), BrokerError> {
    let channel = within("opening a channel", CALL_LIMIT, connection.create_channel()).await?;
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen_empty = 0;
    while seen_empty < LOOKS_IN_A_ROW {
        look.tick().await;
        let mut ready = 0;
        // Before the queues: a job that ends between the two counts has put its follow-ups into a queue by then.
        let in_flight = jobs.in_flight();
        for lane in lanes {
            ready += topology.ready_messages(&channel, *lane).await?;
        }
        seen_empty = if in_flight == 0 && ready == 0 { seen_empty + 1 } else { 0 };
    }
    within("closing a channel", CALL_LIMIT, channel.close(200, "counted".into())).await
}
