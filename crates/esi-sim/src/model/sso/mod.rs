//! EVE SSO.
//!
//! The rule: each refusal has the status and the words of the real one, because clients decide by them. Where the real
//! words are not on record they are ours, in OAuth's codes.
//!
//! Where to go next: [`authorize`] is the page on which a user agrees, [`token`] gives tokens for codes and refresh
//! tokens, [`revoke`] ends a login and tells whether an access token's has ended, [`forge`] makes access tokens that
//! are not what they should be.

mod authorize;
mod discovery;
mod forge;
mod form;
mod refusal;
mod revoke;
mod token;

pub(super) use discovery::discovery;
pub(super) use refusal::{GRANT_MISSING, invalid_client, invalid_grant, overloaded};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Model;
use super::sso_settings::ClientAuth;
use form::Form;

/// Who the caller of the token and the revocation route has shown to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// The application with its secret.
    WithSecret,
    /// The application by its id alone: somebody else may know that too.
    Public,
}

impl Model {
    /// `None` when it is not our application, or says so in a way that is not accepted.
    fn client(&self, authorization: Option<&str>, form: &Form<'_>) -> Option<Client> {
        let (id, secret) = (self.settings.client_id.as_str(), self.settings.client_secret.as_str());
        let accepted = self.settings.sso.client_auth;
        if accepted == ClientAuth::None && (authorization.is_some() || form.get("client_secret").is_some()) {
            return None;
        }
        if let Some(authorization) = authorization.filter(|_| accepted != ClientAuth::Body) {
            let pair = authorization.strip_prefix("Basic ").and_then(|pair| STANDARD.decode(pair).ok())?;
            return (pair == format!("{id}:{secret}").as_bytes()).then_some(Client::WithSecret);
        }
        if form.get("client_id") != Some(id) {
            return None;
        }
        match form.get("client_secret") {
            None => Some(Client::Public),
            Some(shown) => (accepted != ClientAuth::Basic && shown == secret).then_some(Client::WithSecret),
        }
    }
}
