//! `POST /v2/oauth/token`: tokens for a code, and for a refresh token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::form::Form;
use super::refusal::{CODE_MISSING, MALFORMED, TOKEN_MISSING, WRONG_VERIFIER, unsupported_grant};
use super::{Client, GRANT_MISSING, invalid_client, invalid_grant};
use crate::model::access_token;
use crate::model::logins::{Login, LoginId, Standing, is_well_formed};
use crate::model::sso_settings::{ClientAuth, Replay};
use crate::model::{Answer, Model, Request};

impl Model {
    pub(in crate::model) fn token(
        &mut self,
        now: DateTime<Utc>,
        request: &Request,
        content_type: Option<&str>,
        body: &str,
    ) -> Answer {
        let Some(form) = Form::of_body(content_type, body) else { return unsupported_grant("refresh_token") };
        let grant_type = form.get("grant_type").unwrap_or_default();
        if !matches!(grant_type, "refresh_token" | "authorization_code") {
            return unsupported_grant(grant_type);
        }
        let Some(client) = self.client(request.authorization.as_deref(), &form) else { return invalid_client() };
        match grant_type {
            "refresh_token" => self.refresh(now, client, &form),
            _ => self.exchange_code(now, client, &form),
        }
    }

    /// Whose token a refresh names, in whatever standing: faults and counters go by it.
    pub(in crate::model) fn login_of_refresh(&self, body: &str) -> Option<LoginId> {
        self.logins.login_of(Form::parse(body).get("refresh_token")?)
    }

    fn refresh(&mut self, now: DateTime<Utc>, client: Client, form: &Form<'_>) -> Answer {
        let Some(token) = form.get("refresh_token") else {
            return Answer::sso_error(400, "invalid_request", "Refresh token is missing.");
        };
        if !is_well_formed(token) {
            return invalid_grant(MALFORMED);
        }
        let standing = self.logins.standing(now, &self.settings.sso, token);
        let (Some(standing), Some(login_id)) = (standing, self.logins.login_of(token)) else {
            return invalid_grant(TOKEN_MISSING);
        };
        let has_secret = self.settings.sso.client_auth != ClientAuth::None;
        if client == Client::Public && has_secret && !self.logins.login(login_id).is_public {
            return invalid_client();
        }
        match standing {
            Standing::Live => {
                let rotation = self.settings.sso.rotation;
                let refresh_token = self.logins.renew(&mut self.chance, now, rotation, token);
                self.tokens(now, login_id, Some(refresh_token))
            }
            Standing::Consumed => {
                if self.settings.sso.replay == Replay::RevokeLogin {
                    self.logins.revoke(login_id);
                }
                invalid_grant(TOKEN_MISSING)
            }
            Standing::Expired => invalid_grant(TOKEN_MISSING),
            Standing::Revoked => invalid_grant(GRANT_MISSING),
        }
    }

    /// EVE SSO does not ask for the `redirect_uri` again.
    fn exchange_code(&mut self, now: DateTime<Utc>, client: Client, form: &Form<'_>) -> Answer {
        let Some(code) = form.get("code") else {
            return Answer::sso_error(400, "invalid_request", "Authorization code is missing.");
        };
        let Some(agreement) = self.codes.redeem(now, code) else { return invalid_grant(CODE_MISSING) };
        match (&agreement.challenge, form.get("code_verifier")) {
            (Some(challenge), Some(verifier)) if *challenge == challenge_of(verifier) => {}
            (None, None) if client == Client::WithSecret => {}
            // Whoever has caught the code has not the verifier, and a public client has nothing else to show.
            (None, None) => return invalid_client(),
            _ => return invalid_grant(WRONG_VERIFIER),
        }
        // A login that grants nothing cannot be renewed.
        let is_lasting = !agreement.scopes.is_empty();
        let login = Login::with_secret(now, agreement.character_id, agreement.scopes);
        let login_id = self.logins.begin(Login { is_public: client == Client::Public, ..login });
        let refresh_token = is_lasting.then(|| self.logins.issue(&mut self.chance, now, login_id));
        self.tokens(now, login_id, refresh_token)
    }

    fn tokens(&mut self, now: DateTime<Utc>, login_id: LoginId, refresh_token: Option<String>) -> Answer {
        let login = self.logins.login(login_id);
        let Some(character) = self.world.character(login.character_id) else { return invalid_grant(GRANT_MISSING) };
        let issued =
            access_token::issue(&self.signing_keys, &mut self.chance, now, &self.settings, character, &login.scopes);
        self.logins.remember_access_token(issued.token_id, login_id);
        let body = json!({
            "access_token": issued.token,
            "expires_in": self.settings.sso.expires_in_seconds,
            "token_type": "Bearer",
            "refresh_token": refresh_token,
        });
        Answer::json(200, body.to_string())
    }
}

/// PKCE's method `S256`.
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes()))
}
