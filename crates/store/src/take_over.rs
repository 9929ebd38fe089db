//! The start of a process that has the database to itself: whatever the rows say of somebody who is at work is about a
//! process that is gone.
//!
//! Only who has claimed the file ([`Alone`](crate::alone::Alone)) may say so. The leases of token streams are left alone all
//! the same: a command such as `killfleet character add` may just be refreshing beside us, and a token that two use at
//! once can be lost. They run out within a minute, and what they leave is read as a lost answer.

mod postgres;
mod sqlite;

use std::time::Duration;

use crate::access::dialect;
use crate::{Store, StoreError};

/// No rule of ours sets a time further ahead: the rarest lists are looked at every 72 hours, and a little.
const FARTHEST_AHEAD: Duration = Duration::from_secs(4 * 24 * 60 * 60);

/// What the process before has left behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenOver {
    pub lists: u64,
    pub killmails: u64,
    /// Rows with a time that lay further ahead than any rule of ours sets one: the machine's clock once stood in the
    /// future. Without a word they would wait until then.
    pub from_the_future: u64,
}

impl Store {
    /// Hints and leases of lists and killmails are gone, and what was begun is due again with its attempt counted; whoever
    /// held a lease finds its fence gone. Slots for token calls are free. Times that a wrong clock has set far ahead are
    /// now.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn take_over(&self) -> Result<TakenOver, StoreError> {
        let mut transaction = self.transaction("taking over from a process that is gone").await?;
        let lists = dialect!(transaction, free_lists())?;
        let killmails = dialect!(transaction, free_killmails())?;
        dialect!(transaction, free_slots())?;
        let mut from_the_future = dialect!(transaction, bring_back_lists(FARTHEST_AHEAD))?;
        from_the_future += dialect!(transaction, bring_back_killmails(FARTHEST_AHEAD))?;
        from_the_future += dialect!(transaction, bring_back_streams(FARTHEST_AHEAD))?;
        from_the_future += dialect!(transaction, end_pauses(FARTHEST_AHEAD))?;
        transaction.commit().await?;
        Ok(TakenOver { lists, killmails, from_the_future })
    }
}
