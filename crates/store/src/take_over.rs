//! The start of a process that has the database to itself: whatever the rows say of somebody who is at work is about a
//! process that is gone.
//!
//! Only who has claimed the file ([`Alone`](crate::alone::Alone)) may say so. Of a token call the rows do not tell whether
//! it was answered: so its lease is not removed but set into the past, where the next claim reads it as a lost answer.

mod postgres;

use crate::{Store, StoreError};

/// What the process before has left behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenOver {
    pub characters: u64,
    pub killmails: u64,
    /// Token calls that were under way: their answers may be lost.
    pub token_streams: u64,
}

impl Store {
    /// Hints and leases of characters and killmails are gone, and what was begun is due again with its attempt counted;
    /// whoever held a lease finds its fence gone. Slots for token calls are free.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn take_over(&self) -> Result<TakenOver, StoreError> {
        let doing = "taking over from a process that is gone";
        let mut transaction = self.pool.begin().await.map_err(StoreError::during(doing))?;
        let characters = postgres::free_characters(&mut transaction).await.map_err(StoreError::during(doing))?;
        let killmails = postgres::free_killmails(&mut transaction).await.map_err(StoreError::during(doing))?;
        // Before the streams, in the order in which claims lock the two.
        postgres::free_slots(&mut transaction).await.map_err(StoreError::during(doing))?;
        let token_streams = postgres::open_refreshes(&mut transaction).await.map_err(StoreError::during(doing))?;
        transaction.commit().await.map_err(StoreError::during(doing))?;
        Ok(TakenOver { characters, killmails, token_streams })
    }
}
