//! How old records are removed: some at a time, and not more in one tick than it has time for.

use crate::StoreError;

/// A statement over millions of rows would keep SQLite's only writer from everybody else for minutes.
const ROWS_PER_BATCH: u32 = 5_000;
/// 100,000 in every tick are more than a fleet of 100,000 characters writes in a quarter of an hour.
const BATCHES_PER_TICK: u32 = 20;

/// `remove` removes up to so many and says how many there were. Gives how many all of them were; after a long standstill
/// some are left to the next tick.
pub(crate) async fn in_batches(remove: impl AsyncFn(u32) -> Result<u64, StoreError>) -> Result<u64, StoreError> {
    let mut removed = 0;
    for _ in 0..BATCHES_PER_TICK {
        let batch = remove(ROWS_PER_BATCH).await?;
        removed += batch;
        if batch < u64::from(ROWS_PER_BATCH) {
            break;
        }
    }
    Ok(removed)
}
