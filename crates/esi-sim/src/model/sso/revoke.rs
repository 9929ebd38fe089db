//! The end of a login at the application's wish, and the question whether one has ended.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::form::Form;
use crate::model::{Answer, Model, Request, access_token};

impl Model {
    /// `POST /v2/oauth/revoke`: always 200, also for a token that is nobody's and for a client that is not ours. Access
    /// tokens stay good at ESI until they end.
    pub(in crate::model) fn revoke_token(
        &mut self,
        request: &Request,
        content_type: Option<&str>,
        body: &str,
    ) -> Answer {
        let form = Form::of_body(content_type, body);
        if let Some(form) = form.filter(|form| self.client(request.authorization.as_deref(), form).is_some())
            && let Some(login_id) = form.get("token").and_then(|token| self.logins.login_of(token))
        {
            self.logins.revoke(login_id);
        }
        Answer::empty(200)
    }

    /// `GET /oauth2/validate`, as Twitch has it and EVE SSO has not: whether an access token's login still stands.
    pub(in crate::model) fn validate(&self, now: DateTime<Utc>, request: &Request) -> Answer {
        let token = request
            .authorization
            .as_deref()
            .and_then(|header| header.strip_prefix("OAuth ").or_else(|| header.strip_prefix("Bearer ")))
            .and_then(|token| access_token::open(&self.signing_keys, now, token))
            .filter(|token| !self.logins.is_revoked(&token.token_id));
        let Some(token) = token else {
            return Answer::json(401, r#"{"status":401,"message":"invalid access token"}"#);
        };
        let name = self.world.character(token.character_id).map(|character| character.name.as_str());
        let body = json!({
            "client_id": token.client_id,
            "login": name,
            "scopes": token.scopes,
            "user_id": token.character_id.to_string(),
            "expires_in": token.expires_in_seconds,
        });
        Answer::json(200, body.to_string())
    }
}
