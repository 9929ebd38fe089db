//! What a test or an operator of the simulator does to it from outside: new fights, revocations, logins, faults.

use chrono::{DateTime, Utc};
use rand::Rng;

use super::Model;
use super::character::{Character, UnknownCharacter};
use super::counters::Counters;
use super::fault::{Fault, UnusableFault};
use super::generator;
use super::ids::{CharacterId, KillmailId};
use super::killmail::Killmail;

impl Model {
    /// All characters, each with the oldest of its refresh tokens that works.
    pub fn characters(&self) -> impl Iterator<Item = (&Character, Option<&str>)> {
        self.world.characters().map(|character| (character, self.refresh_tokens.oldest_live(character.character_id)))
    }

    /// All killmails.
    pub fn killmails(&self) -> impl Iterator<Item = &Killmail> {
        self.world.killmails()
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Sets all counters to nothing. Buckets, caches and what callers were told stay.
    pub fn reset_counters(&mut self) {
        self.counters = Counters::default();
    }

    /// The faults in force.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.faults.faults()
    }

    /// Replaces the faults in force.
    ///
    /// # Errors
    /// When one of them could not be carried out; then nothing changes.
    pub fn replace_faults(&mut self, faults: Vec<Fault>) -> Result<(), UnusableFault> {
        for (place, fault) in faults.iter().enumerate() {
            fault.check(place)?;
        }
        self.faults.replace(faults);
        Ok(())
    }

    /// Lets `count` fights happen with all these characters in each.
    ///
    /// # Errors
    /// When one of them does not exist; then nothing happens.
    pub fn fight(
        &mut self,
        now: DateTime<Utc>,
        character_ids: &[CharacterId],
        count: u32,
    ) -> Result<Vec<KillmailId>, UnknownCharacter> {
        self.world.fight(&mut self.chance, now, character_ids, count)
    }

    /// The user revokes the application: all refresh tokens of the character are refused from now on. Says how many.
    ///
    /// # Errors
    /// When the character does not exist.
    pub fn revoke(&mut self, character_id: CharacterId) -> Result<usize, UnknownCharacter> {
        self.require(character_id)?;
        Ok(self.refresh_tokens.revoke(character_id))
    }

    /// The user signs in once more: a further refresh token.
    ///
    /// # Errors
    /// When the character does not exist.
    pub fn login(&mut self, character_id: CharacterId, scopes: &[String]) -> Result<String, UnknownCharacter> {
        self.require(character_id)?;
        Ok(self.refresh_tokens.issue(&mut self.chance, character_id, scopes))
    }

    /// The character moves to another account: another owner hash, and its refresh tokens are refused.
    ///
    /// # Errors
    /// When the character does not exist.
    pub fn transfer(&mut self, character_id: CharacterId) -> Result<String, UnknownCharacter> {
        self.require(character_id)?;
        self.refresh_tokens.revoke(character_id);
        let owner = generator::owner_hash(&mut self.chance);
        self.world.change_owner(character_id, owner.clone());
        Ok(owner)
    }

    /// An id for one answer of ESI, in the form of a UUID without dashes.
    pub(super) fn request_id(&mut self) -> String {
        format!("{:032x}", self.chance.random::<u128>())
    }

    fn require(&self, character_id: CharacterId) -> Result<(), UnknownCharacter> {
        match self.world.character(character_id) {
            Some(_) => Ok(()),
            None => Err(UnknownCharacter(character_id)),
        }
    }
}
