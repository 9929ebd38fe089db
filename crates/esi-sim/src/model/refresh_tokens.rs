//! All refresh tokens that were ever given out, and what became of them.
//!
//! The rule: a token is never forgotten, because the refusal of a revoked one reads differently from that of one that
//! never was.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use rand::rngs::StdRng;

use super::ids::CharacterId;

/// What a refresh token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Good.
    Live,
    /// Another one took its place.
    Replaced,
    /// The grant behind it is gone: the user revoked it, or the character has another owner.
    Revoked,
}

/// One refresh token's record.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Whose it is.
    pub character_id: CharacterId,
    /// What it allows.
    pub scopes: Vec<String>,
    /// What it is worth now.
    pub standing: Standing,
}

/// All of them. No `Debug`: the tokens are its keys.
#[derive(Default)]
pub struct RefreshTokens {
    grants: HashMap<String, Grant>,
    in_order: HashMap<CharacterId, Vec<String>>,
}

impl RefreshTokens {
    /// Gives out a new one.
    pub fn issue(&mut self, chance: &mut StdRng, character_id: CharacterId, scopes: &[String]) -> String {
        let token = random_token(chance);
        self.keep(token, character_id, scopes)
    }

    /// Gives out a new one that surely holds both characters that a form must encode.
    pub fn issue_hard_to_encode(
        &mut self,
        chance: &mut StdRng,
        character_id: CharacterId,
        scopes: &[String],
    ) -> String {
        loop {
            let token = random_token(chance);
            if token.contains('+') && token.contains('/') {
                return self.keep(token, character_id, scopes);
            }
        }
    }

    /// The record of a token.
    #[must_use]
    pub fn grant(&self, token: &str) -> Option<&Grant> {
        self.grants.get(token)
    }

    /// The oldest token of a character that works.
    #[must_use]
    pub fn oldest_live(&self, character_id: CharacterId) -> Option<&str> {
        let tokens = self.in_order.get(&character_id)?;
        tokens.iter().map(String::as_str).find(|token| self.is_live(token))
    }

    /// Marks a token as replaced by its successor.
    pub fn replace(&mut self, token: &str) {
        if let Some(grant) = self.grants.get_mut(token) {
            grant.standing = Standing::Replaced;
        }
    }

    /// Revokes whatever works of a character; says how many tokens that were.
    pub fn revoke(&mut self, character_id: CharacterId) -> usize {
        let live = self
            .grants
            .values_mut()
            .filter(|grant| grant.character_id == character_id && grant.standing == Standing::Live);
        live.map(|grant| grant.standing = Standing::Revoked).count()
    }

    fn is_live(&self, token: &str) -> bool {
        self.grant(token).is_some_and(|grant| grant.standing == Standing::Live)
    }

    fn keep(&mut self, token: String, character_id: CharacterId, scopes: &[String]) -> String {
        let grant = Grant { character_id, scopes: scopes.to_vec(), standing: Standing::Live };
        self.grants.insert(token.clone(), grant);
        self.in_order.entry(character_id).or_default().push(token.clone());
        token
    }
}

/// Whether a text has the form of a refresh token: 24 characters, base64 of 16 bytes. A `+` that was not encoded
/// arrives as a space and fails here.
#[must_use]
pub fn is_well_formed(token: &str) -> bool {
    STANDARD.decode(token).is_ok_and(|bytes| bytes.len() == 16)
}

fn random_token(chance: &mut StdRng) -> String {
    STANDARD.encode(chance.random::<[u8; 16]>())
}
