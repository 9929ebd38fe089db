//! The last word on a delivery: it is acknowledged, or handed back to its queue.

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::AMQPValue;

use crate::connection::{CALL_LIMIT, within};
use crate::error::{BrokerError, Chain};

const FIRST_HAND_BACK_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_HAND_BACK_PAUSE: Duration = Duration::from_secs(30);

/// `Ok(false)` and errors mean that the session is gone: then the message comes again, which every job can stand.
pub(crate) async fn acknowledge(delivery: &Delivery) {
    let ack = delivery.ack(BasicAckOptions { multiple: false });
    note("acknowledging", within("acknowledging", CALL_LIMIT, ack).await);
}

/// Puts the message back into its queue for another worker.
pub(crate) async fn hand_back(delivery: &Delivery) {
    let nack = delivery.nack(BasicNackOptions { requeue: true, multiple: false });
    note("handing back", within("handing back", CALL_LIMIT, nack).await);
}

/// How long to keep a message that a worker could not begin before it is handed back. It comes again at once, to us if
/// there is no other worker, so without a pause a database that is away would make it go round thousands of times a
/// second, or on older brokers run into the delivery limit.
pub(crate) fn hand_back_pause(delivery: &Delivery) -> Duration {
    let doublings = u32::try_from(earlier_deliveries(delivery).clamp(0, 10)).unwrap_or(0);
    (FIRST_HAND_BACK_PAUSE * 2_u32.pow(doublings)).min(LONGEST_HAND_BACK_PAUSE)
}

/// From the headers of quorum queues: RabbitMQ up to 4.2 counts every return in the first; from 4.3 the second does.
pub(crate) fn earlier_deliveries(delivery: &Delivery) -> i64 {
    let Some(headers) = delivery.properties.headers() else { return 0 };
    let count = |name: &str| headers.inner().get(name).and_then(AMQPValue::as_long_long_int).unwrap_or(0);
    count("x-delivery-count").max(count("x-acquired-count"))
}

fn note(doing: &'static str, result: Result<bool, BrokerError>) {
    match result {
        Ok(true) => {}
        Ok(false) => tracing::debug!(doing, "the delivery is no longer ours; its message comes again"),
        Err(error) => tracing::debug!(doing, error = %Chain(&error), "the session is lost; the message comes again"),
    }
}

#[cfg(test)]
mod tests {
    use lapin::BasicProperties;
    use lapin::types::FieldTable;

    use super::*;

    fn pause_after(header: &str, count: i64) -> u64 {
        let mut headers = FieldTable::default();
        headers.insert(header.into(), AMQPValue::LongLongInt(count));
        let mut delivery = Delivery::mock(1, "".into(), "queue".into(), true, Vec::new());
        delivery.properties = BasicProperties::default().with_headers(headers);
        hand_back_pause(&delivery).as_secs()
    }

    #[test]
    fn a_message_that_goes_round_goes_round_slower_and_slower() {
        assert_eq!(hand_back_pause(&Delivery::mock(1, "".into(), "queue".into(), false, Vec::new())).as_secs(), 1);
        for header in ["x-delivery-count", "x-acquired-count"] {
            let pauses = [0, 1, 2, 3, 4, 5, 49, i64::MAX, -1].map(|count| pause_after(header, count));
            assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30, 1], "{header}");
        }
    }
}
