//! All logins that ever were, with the refresh tokens that were given out for them.
//!
//! The rule: nothing is forgotten, because the refusal of a revoked token reads differently from that of one that never
//! was. What a token is worth is found out when it is shown, by the settings of that moment.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use rand::rngs::StdRng;

use super::ids::CharacterId;
use super::sso_settings::{Rotation, SsoSettings};

/// Names one login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoginId(usize);

/// A user has signed in and granted something.
#[derive(Debug, Clone)]
pub struct Login {
    /// Who.
    pub character_id: CharacterId,
    /// What was granted.
    pub scopes: Vec<String>,
    /// The application has shown no secret, so it need not show one when it refreshes.
    pub is_public: bool,
    /// When its absolute lifetime began.
    pub began_at: DateTime<Utc>,
    /// The grant behind it is gone: the user or the application revoked it, or the character has another owner.
    pub is_revoked: bool,
}

impl Login {
    /// One for an application that has shown its secret.
    #[must_use]
    pub fn with_secret(now: DateTime<Utc>, character_id: CharacterId, scopes: Vec<String>) -> Self {
        Self { character_id, scopes, is_public: false, began_at: now, is_revoked: false }
    }
}

/// What a refresh token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Good.
    Live,
    /// Another one took its place, and its grace is over.
    Consumed,
    /// One of its two lifetimes is over.
    Expired,
    /// Its login is revoked.
    Revoked,
}

/// One refresh token.
struct Handle {
    login_id: LoginId,
    /// When its sliding lifetime began.
    renewed_at: DateTime<Utc>,
    consumed_at: Option<DateTime<Utc>>,
}

/// All of them. No `Debug`: tokens are its keys.
#[derive(Default)]
pub struct Logins {
    logins: Vec<Login>,
    handles: HashMap<String, Handle>,
    tokens_of: HashMap<CharacterId, Vec<String>>,
    /// By the id (`jti`) of an access token.
    of_access_tokens: HashMap<String, LoginId>,
}

impl Logins {
    /// Remembers a login. It has no refresh token yet.
    pub fn begin(&mut self, login: Login) -> LoginId {
        self.logins.push(login);
        LoginId(self.logins.len() - 1)
    }

    /// Gives out a further refresh token for a login.
    pub fn issue(&mut self, chance: &mut StdRng, now: DateTime<Utc>, login_id: LoginId) -> String {
        self.keep(random_token(chance), now, login_id)
    }

    /// Gives out one that surely holds both characters that a form must encode.
    pub fn issue_hard_to_encode(&mut self, chance: &mut StdRng, now: DateTime<Utc>, login_id: LoginId) -> String {
        loop {
            let token = random_token(chance);
            if token.contains('+') && token.contains('/') {
                return self.keep(token, now, login_id);
            }
        }
    }

    /// Renews a refresh token that is live; answers the one to use from now on.
    pub fn renew(&mut self, chance: &mut StdRng, now: DateTime<Utc>, rotation: Rotation, token: &str) -> String {
        let Some(handle) = self.handles.get_mut(token) else { return token.to_owned() };
        if rotation == Rotation::Never {
            handle.renewed_at = now;
            return token.to_owned();
        }
        handle.consumed_at.get_or_insert(now);
        let login_id = handle.login_id;
        self.issue(chance, now, login_id)
    }

    /// One login.
    #[must_use]
    pub fn login(&self, login_id: LoginId) -> &Login {
        &self.logins[login_id.0]
    }

    /// Its number among the logins of its character, from 1.
    #[must_use]
    pub fn number(&self, login_id: LoginId) -> usize {
        let character_id = self.login(login_id).character_id;
        self.logins[..=login_id.0].iter().filter(|login| login.character_id == character_id).count()
    }

    /// The login of a refresh token, in whatever standing.
    #[must_use]
    pub fn login_of(&self, token: &str) -> Option<LoginId> {
        self.handles.get(token).map(|handle| handle.login_id)
    }

    /// What a refresh token is worth now; `None` for one that was never given out.
    #[must_use]
    pub fn standing(&self, now: DateTime<Utc>, settings: &SsoSettings, token: &str) -> Option<Standing> {
        let handle = self.handles.get(token)?;
        let login = self.login(handle.login_id);
        let is_over = |since: DateTime<Utc>, seconds: u32| now - since >= TimeDelta::seconds(i64::from(seconds));
        let is_expired = settings.absolute_lifetime_seconds.is_some_and(|seconds| is_over(login.began_at, seconds))
            || settings.sliding_lifetime_seconds.is_some_and(|seconds| is_over(handle.renewed_at, seconds));
        let is_consumed = settings.rotation == Rotation::AlwaysKillOld
            && handle.consumed_at.is_some_and(|consumed_at| is_over(consumed_at, settings.grace_seconds));
        Some(if login.is_revoked {
            Standing::Revoked
        } else if is_expired {
            Standing::Expired
        } else if is_consumed {
            Standing::Consumed
        } else {
            Standing::Live
        })
    }

    /// The refresh tokens of a character that would be taken now, oldest first.
    pub fn live<'a>(
        &'a self,
        now: DateTime<Utc>,
        settings: &'a SsoSettings,
        character_id: CharacterId,
    ) -> impl Iterator<Item = &'a str> {
        let tokens = self.tokens_of.get(&character_id).into_iter().flatten().map(String::as_str);
        tokens.filter(move |token| self.standing(now, settings, token) == Some(Standing::Live))
    }

    /// Ends a login.
    pub fn revoke(&mut self, login_id: LoginId) {
        self.logins[login_id.0].is_revoked = true;
    }

    /// Changes what all logins of a character have granted.
    pub fn change_scopes(&mut self, character_id: CharacterId, scopes: &[String]) {
        for login in self.logins.iter_mut().filter(|login| login.character_id == character_id) {
            login.scopes = scopes.to_vec();
        }
    }

    /// Ends all logins of a character.
    pub fn revoke_all(&mut self, character_id: CharacterId) {
        for login in self.logins.iter_mut().filter(|login| login.character_id == character_id) {
            login.is_revoked = true;
        }
    }

    /// Makes everything here older: lifetimes and graces go on as if so much time had passed.
    pub fn age(&mut self, seconds: u32) {
        let span = TimeDelta::seconds(i64::from(seconds));
        for login in &mut self.logins {
            login.began_at -= span;
        }
        for handle in self.handles.values_mut() {
            handle.renewed_at -= span;
            handle.consumed_at = handle.consumed_at.map(|consumed_at| consumed_at - span);
        }
    }

    /// Remembers for which login an access token was given out.
    pub fn remember_access_token(&mut self, token_id: String, login_id: LoginId) {
        self.of_access_tokens.insert(token_id, login_id);
    }

    /// Whether the login behind an access token is revoked. One of which nothing is known (the simulator has been
    /// restarted) is not.
    #[must_use]
    pub fn is_revoked(&self, token_id: &str) -> bool {
        self.of_access_tokens.get(token_id).is_some_and(|login_id| self.login(*login_id).is_revoked)
    }

    fn keep(&mut self, token: String, now: DateTime<Utc>, login_id: LoginId) -> String {
        let handle = Handle { login_id, renewed_at: now, consumed_at: None };
        self.handles.insert(token.clone(), handle);
        let character_id = self.login(login_id).character_id;
        self.tokens_of.entry(character_id).or_default().push(token.clone());
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
