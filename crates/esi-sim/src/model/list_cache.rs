//! What ESI keeps of the lists.
//!
//! The rule: a list is made once and shown unchanged, on all its pages, until it expires. What happens meanwhile
//! becomes visible with the next making. All moments are whole seconds, because the headers that tell them are.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::character::Character;
use super::ids::{CharacterId, KillmailId};

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
    copies: HashMap<CharacterId, ListCopy>,
    told: HashMap<(CharacterId, u32), DateTime<Utc>>,
}

impl ListCache {
    /// An empty cache.
    #[must_use]
    pub fn empty(ttl_seconds: u32) -> Self {
        Self { ttl: TimeDelta::seconds(i64::from(ttl_seconds)), copies: HashMap::new(), told: HashMap::new() }
    }

    /// The copy of a character's list, and whether it was there already.
    pub fn look_up(&mut self, now: DateTime<Utc>, character: &Character) -> (&ListCopy, bool) {
        let is_fresh = self.copies.get(&character.character_id).is_some_and(|copy| now < copy.expires_at);
        let ttl = self.ttl;
        let make = || {
            let made_at = now.trunc_subsecs(0);
            let killmail_ids = character.killmail_ids.iter().rev().copied().collect();
            ListCopy { killmail_ids, made_at, expires_at: made_at + ttl }
        };
        if !is_fresh {
            self.copies.remove(&character.character_id);
        }
        (self.copies.entry(character.character_id).or_insert_with(make), is_fresh)
    }

    /// Remembers the `Expires` that a caller was given for a page.
    pub fn tell(&mut self, character_id: CharacterId, page: u32) {
        if let Some(copy) = self.copies.get(&character_id) {
            self.told.insert((character_id, page), copy.expires_at);
        }
    }

    /// Whether a page is asked for before the `Expires` that was given for it.
    #[must_use]
    pub fn is_too_early(&self, now: DateTime<Utc>, character_id: CharacterId, page: u32) -> bool {
        self.told.get(&(character_id, page)).is_some_and(|expires_at| now < *expires_at)
    }
}
