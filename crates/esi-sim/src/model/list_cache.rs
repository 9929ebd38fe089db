//! What ESI keeps of the lists.
//!
//! The rule: a list is made once and shown unchanged, on all its pages, until it expires. What happens meanwhile
//! becomes visible with the next making. All moments are whole seconds, because the headers that tell them are.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::ids::KillmailId;
use super::list_owner::ListOwner;

/// One list as it was when it was made.
#[derive(Debug, Clone)]
pub struct ListCopy {
    /// Newest first.
    pub killmail_ids: Vec<KillmailId>,
    /// `Last-Modified`.
    pub made_at: DateTime<Utc>,
    /// `Expires`.
    pub expires_at: DateTime<Utc>,
}

/// All lists, and what the callers were told about them.
#[derive(Debug)]
pub struct ListCache {
    ttl: TimeDelta,
    copies: HashMap<ListOwner, ListCopy>,
    told: HashMap<(ListOwner, u32), DateTime<Utc>>,
}

impl ListCache {
    /// An empty cache.
    #[must_use]
    pub fn empty(ttl_seconds: u32) -> Self {
        Self { ttl: TimeDelta::seconds(i64::from(ttl_seconds)), copies: HashMap::new(), told: HashMap::new() }
    }

    /// The copy of a list, and whether it was there already. `newest_first` tells what is truly on it.
    pub fn look_up(
        &mut self,
        now: DateTime<Utc>,
        owner: ListOwner,
        newest_first: impl FnOnce() -> Vec<KillmailId>,
    ) -> (&ListCopy, bool) {
        let is_fresh = self.copies.get(&owner).is_some_and(|copy| now < copy.expires_at);
        let ttl = self.ttl;
        let make = || {
            let made_at = now.trunc_subsecs(0);
            ListCopy { killmail_ids: newest_first(), made_at, expires_at: made_at + ttl }
        };
        if !is_fresh {
            self.copies.remove(&owner);
        }
        (self.copies.entry(owner).or_insert_with(make), is_fresh)
    }

    /// Remembers the `Expires` that a caller was given for a page.
    pub fn tell(&mut self, owner: ListOwner, page: u32) {
        if let Some(copy) = self.copies.get(&owner) {
            self.told.insert((owner, page), copy.expires_at);
        }
    }

    /// Whether a page is asked for before the `Expires` that was given for it.
    #[must_use]
    pub fn is_too_early(&self, now: DateTime<Utc>, owner: ListOwner, page: u32) -> bool {
        self.told.get(&(owner, page)).is_some_and(|expires_at| now < *expires_at)
    }
}
