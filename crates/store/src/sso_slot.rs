//! Slots for token calls: so many are in flight in the whole fleet at the most.
//!
//! A slot is held for one call and given back with its result; one whose holder died is free again when its lease has
//! run out. Why they are rows: docs/decisions/0005-sso-slots.md. Here they are taken for a login; a refresh takes its
//! slot in the transaction that claims its stream ([`crate::refresh_job`]).

mod postgres;
mod sqlite;

use chrono::{DateTime, Utc};

use crate::access::{Access, dialect};
use crate::{Store, StoreError};

/// Ours until we give it back, or until [`lease::REFRESH`](crate::lease::REFRESH) has passed.
#[derive(Debug, sqlx::FromRow)]
pub struct SsoSlot {
    number: i32,
    /// Identifies our hold on the slot.
    lease_until: DateTime<Utc>,
}

impl Store {
    /// None while as many calls are in flight as there may be.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_sso_slot(&self, sso_concurrency: u32) -> Result<Option<SsoSlot>, StoreError> {
        let mut access = self.change("taking a slot for a token call").await?;
        let slot = take(&mut access, sso_concurrency).await?;
        access.commit().await?;
        Ok(slot)
    }

    /// Nothing happens if the lease has run out and somebody else holds the slot.
    ///
    /// # Errors
    /// When the database does not answer: the lease runs out by itself.
    pub async fn release_sso_slot(&self, slot: &SsoSlot) -> Result<(), StoreError> {
        let mut access = self.change("giving back a slot for a token call").await?;
        release(&mut access, slot).await?;
        access.commit().await
    }
}

pub(crate) async fn take(access: &mut Access, sso_concurrency: u32) -> Result<Option<SsoSlot>, StoreError> {
    let slots = i32::try_from(sso_concurrency).unwrap_or(i32::MAX);
    dialect!(*access, take(slots))
}

/// Before the row of a stream is touched: claims lock the slot first and the stream second, and so does everybody.
pub(crate) async fn release(access: &mut Access, slot: &SsoSlot) -> Result<(), StoreError> {
    dialect!(*access, release(slot))
}
