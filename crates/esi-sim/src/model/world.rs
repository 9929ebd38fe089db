//! The world behind the routes: characters, killmails, and who was in which.
//!
//! The rule: the same seed makes the same world, down to the byte, on every day. `generator` makes
//! it; afterwards only the control routes add to it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rand::Rng;
use rand::rngs::StdRng;

use super::character::{Character, UnknownCharacter};
use super::generator;
use super::ids::{CharacterId, CorporationId, KillmailId};
use super::killmail::Killmail;
use super::list_owner::ListOwner;

/// How large a world to make.
#[derive(Debug, Clone, Copy)]
pub struct WorldSize {
    /// Signed-in characters.
    pub characters: u32,
    /// Generated killmails.
    pub killmails: u32,
    /// Whether the 26 real killmails come on top.
    pub real_killmails: bool,
}

/// Everything that is true, whatever the caches still show.
#[derive(Debug, Clone, Default)]
pub struct World {
    characters: BTreeMap<CharacterId, Character>,
    killmails: BTreeMap<KillmailId, Killmail>,
}

impl World {
    /// Makes the world of a seed.
    #[must_use]
    pub fn generate(seed: u64, size: WorldSize) -> Self {
        generator::generate(seed, size)
    }

    /// All characters by id.
    pub fn characters(&self) -> impl Iterator<Item = &Character> {
        self.characters.values()
    }

    /// One character.
    #[must_use]
    pub fn character(&self, character_id: CharacterId) -> Option<&Character> {
        self.characters.get(&character_id)
    }

    /// What is truly on a list: a corporation's holds what is on those of its members as they are now.
    #[must_use]
    pub fn list(&self, owner: ListOwner) -> BTreeSet<KillmailId> {
        match owner {
            ListOwner::Character(character_id) => {
                self.character(character_id).map(|character| character.killmail_ids.clone()).unwrap_or_default()
            }
            ListOwner::Corporation(corporation_id) => {
                let members = self.characters().filter(|character| character.corporation_id == corporation_id);
                members.flat_map(|member| &member.killmail_ids).copied().collect()
            }
        }
    }

    /// The corporations that have members.
    #[must_use]
    pub fn corporations(&self) -> BTreeSet<CorporationId> {
        self.characters().map(|character| character.corporation_id).collect()
    }

    /// All killmails by id.
    pub fn killmails(&self) -> impl Iterator<Item = &Killmail> {
        self.killmails.values()
    }

    /// One killmail.
    #[must_use]
    pub fn killmail(&self, killmail_id: KillmailId) -> Option<&Killmail> {
        self.killmails.get(&killmail_id)
    }

    /// Adds a character.
    pub fn add_character(&mut self, character: Character) {
        self.characters.insert(character.character_id, character);
    }

    /// Adds a killmail to the lists of these characters.
    pub fn add_killmail(&mut self, killmail: Killmail, on_lists_of: &[CharacterId]) {
        for character_id in on_lists_of {
            if let Some(character) = self.characters.get_mut(character_id) {
                character.killmail_ids.insert(killmail.killmail_id);
            }
        }
        self.killmails.insert(killmail.killmail_id, killmail);
    }

    /// Lets `count` new fights happen just before `now`, each with all these characters in it.
    ///
    /// # Errors
    /// When one of the characters does not exist; then nothing happens.
    pub fn fight(
        &mut self,
        chance: &mut StdRng,
        now: DateTime<Utc>,
        character_ids: &[CharacterId],
        count: u32,
    ) -> Result<Vec<KillmailId>, UnknownCharacter> {
        // A set, because nobody is in one fight twice.
        let distinct: BTreeSet<CharacterId> = character_ids.iter().copied().collect();
        let characters = distinct
            .into_iter()
            .map(|character_id| self.character(character_id).cloned().ok_or(UnknownCharacter(character_id)))
            .collect::<Result<Vec<_>, _>>()?;
        let participants: Vec<&Character> = characters.iter().collect();
        let mut killmail_ids = Vec::new();
        for _ in 0..count {
            let killmail_id = self.next_killmail_id(chance);
            let killmail = generator::compose(chance, killmail_id, now, &participants);
            self.add_killmail(killmail, character_ids);
            killmail_ids.push(killmail_id);
        }
        Ok(killmail_ids)
    }

    /// The character has another name.
    pub fn rename(&mut self, character_id: CharacterId, name: String) {
        if let Some(character) = self.characters.get_mut(&character_id) {
            character.name = name;
        }
    }

    /// The character moves to another account.
    pub fn change_owner(&mut self, character_id: CharacterId, owner: String) {
        if let Some(character) = self.characters.get_mut(&character_id) {
            character.owner = owner;
        }
    }

    /// The character moves to another corporation, where it is director of nothing.
    pub fn change_corporation(&mut self, character_id: CharacterId, corporation_id: CorporationId) {
        if let Some(character) = self.characters.get_mut(&character_id) {
            character.is_director &= character.corporation_id == corporation_id;
            character.corporation_id = corporation_id;
        }
    }

    /// The character gets the role, or loses it.
    pub fn change_role(&mut self, character_id: CharacterId, is_director: bool) {
        if let Some(character) = self.characters.get_mut(&character_id) {
            character.is_director = is_director;
        }
    }

    /// An id above all known ones. Ids have gaps: most killmails of the real world concern nobody here.
    pub fn next_killmail_id(&self, chance: &mut StdRng) -> KillmailId {
        let highest = self.killmails.keys().next_back().map_or(0, |id| id.number());
        KillmailId::from_number(highest.max(generator::FIRST_KILLMAIL_ID) + chance.random_range(1..=60))
    }
}
