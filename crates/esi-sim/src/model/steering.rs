//! What a test or an operator of the simulator does to it from outside: new fights, revocations, logins, faults.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rand::Rng;
use serde::Deserialize;

use super::Model;
use super::character::{Character, UnknownCharacter};
use super::counters::Counters;
use super::fault::{Fault, UnusableFault};
use super::generator;
use super::ids::{CharacterId, CorporationId, KillmailId};
use super::killmail::Killmail;
use super::list_owner::ListOwner;
use super::logins::Login;
use super::sso_settings::SsoSettings;

/// What a user does on the authorize page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Choice {
    /// Agrees for a character.
    #[serde(rename = "character_id")]
    Character(CharacterId),
    /// Cancels.
    Deny,
}

/// What becomes different about a character.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// Its name.
    pub name: Option<String>,
    /// Its owner hash.
    pub owner: Option<String>,
    /// The scopes of all its logins.
    pub scopes: Option<Vec<String>>,
    /// Its corporation. Whoever moves is no director any more, unless `is_director` says so.
    pub corporation_id: Option<CorporationId>,
    /// Whether it may read the list of its corporation.
    pub is_director: Option<bool>,
}

impl Model {
    /// All characters, each with the oldest of its refresh tokens that works.
    pub fn characters(&self, now: DateTime<Utc>) -> impl Iterator<Item = (&Character, Option<&str>)> {
        self.world
            .characters()
            .map(move |character| (character, self.live_refresh_tokens(now, character.character_id).next()))
    }

    /// The refresh tokens of a character that would be taken now, oldest first.
    pub fn live_refresh_tokens(&self, now: DateTime<Utc>, character_id: CharacterId) -> impl Iterator<Item = &str> {
        self.logins.live(now, &self.settings.sso, character_id)
    }

    /// The corporations that have members, each with what is truly on its list.
    pub fn corporation_lists(&self) -> impl Iterator<Item = (CorporationId, BTreeSet<KillmailId>)> {
        let list = |corporation_id| (corporation_id, self.world.list(ListOwner::Corporation(corporation_id)));
        self.world.corporations().into_iter().map(list)
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
    pub fn revoke(&mut self, now: DateTime<Utc>, character_id: CharacterId) -> Result<usize, UnknownCharacter> {
        self.require(character_id)?;
        let live = self.live_refresh_tokens(now, character_id).count();
        self.logins.revoke_all(character_id);
        Ok(live)
    }

    /// The user signs in once more: a further refresh token.
    ///
    /// # Errors
    /// When the character does not exist.
    pub fn login(
        &mut self,
        now: DateTime<Utc>,
        character_id: CharacterId,
        scopes: Vec<String>,
    ) -> Result<String, UnknownCharacter> {
        self.require(character_id)?;
        let login_id = self.logins.begin(Login::with_secret(now, character_id, scopes));
        Ok(self.logins.issue(&mut self.chance, now, login_id))
    }

    /// The character moves to another account: another owner hash, and its refresh tokens are refused.
    ///
    /// # Errors
    /// When the character does not exist.
    pub fn transfer(&mut self, character_id: CharacterId) -> Result<String, UnknownCharacter> {
        self.require(character_id)?;
        self.logins.revoke_all(character_id);
        let owner = generator::owner_hash(&mut self.chance);
        self.world.change_owner(character_id, owner.clone());
        Ok(owner)
    }

    /// What the next tokens of a character say of it, what its logins grant, and where it is from now on; refresh tokens
    /// are left as they are.
    ///
    /// # Errors
    /// When the character does not exist.
    pub fn change(&mut self, character_id: CharacterId, change: Change) -> Result<(), UnknownCharacter> {
        self.require(character_id)?;
        if let Some(name) = change.name {
            self.world.rename(character_id, name);
        }
        if let Some(owner) = change.owner {
            self.world.change_owner(character_id, owner);
        }
        if let Some(scopes) = change.scopes {
            self.logins.change_scopes(character_id, &scopes);
        }
        if let Some(corporation_id) = change.corporation_id {
            self.world.change_corporation(character_id, corporation_id);
        }
        if let Some(is_director) = change.is_director {
            self.world.change_role(character_id, is_director);
        }
        Ok(())
    }

    /// What users do on the authorize page from now on; `None`: they are asked.
    pub fn choose(&mut self, choice: Option<Choice>) {
        self.choice = choice;
    }

    /// Makes all logins and refresh tokens older.
    pub fn age_logins(&mut self, seconds: u32) {
        self.logins.age(seconds);
    }

    /// How SSO treats logins and tokens.
    #[must_use]
    pub fn sso_settings(&self) -> &SsoSettings {
        &self.settings.sso
    }

    /// From now on.
    pub fn replace_sso_settings(&mut self, settings: SsoSettings) {
        self.settings.sso = settings;
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
