//! The start of a process that has the database to itself: whatever the rows say of somebody who is at work is about a
//! process that is gone.
//!
//! Only who has claimed the file ([`Alone`](crate::alone::Alone)) may say so. The leases of token streams are left alone all
//! the same: a command such as `killfleet character add` may just be refreshing beside us, and a token that two use at
//! once can be lost. They run out within a minute, and what they leave is read as a lost answer.

mod postgres;
mod sqlite;

use crate::access::dialect;
use crate::{Store, StoreError};

/// What the process before has left behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenOver {
    pub characters: u64,
    pub killmails: u64,
}

impl Store {
    /// Hints and leases of characters and killmails are gone, and what was begun is due again with its attempt counted; whoever
    /// held a lease finds its fence gone. Slots for token calls are free.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn take_over(&self) -> Result<TakenOver, StoreError> {
        let mut transaction = self.transaction("taking over from a process that is gone").await?;
        let characters = dialect!(transaction, free_characters())?;
        let killmails = dialect!(transaction, free_killmails())?;
        dialect!(transaction, free_slots())?;
        transaction.commit().await?;
        Ok(TakenOver { characters, killmails })
    }
}
