//! EVE SSO: the refresh grant, the key set, the discovery document.
//!
//! The rule: each refusal has the status and the words of the real one, because clients decide by them.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::access_token;
use super::answer::Answer;
use super::ids::CharacterId;
use super::refresh_tokens::{Grant, Standing, is_well_formed};
use super::settings::Rotation;
use super::{Model, Request};

/// A user's revocation, a changed password, another owner.
pub(super) const GRANT_MISSING: &str = "Invalid refresh token. Character grant missing/expired.";
/// A token that is unknown or was replaced.
const TOKEN_MISSING: &str = "Invalid refresh token. Token missing/expired.";
/// A token that has not the form of one.
const MALFORMED: &str = "Invalid refresh token.";

impl Model {
    /// `POST /v2/oauth/token`
    pub(super) fn refresh(
        &mut self,
        now: DateTime<Utc>,
        request: &Request,
        content_type: Option<&str>,
        body: &str,
    ) -> Answer {
        if !content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            return unsupported_grant("refresh_token");
        }
        let form = form(body);
        match form.get("grant_type").map(AsRef::as_ref) {
            Some("refresh_token") => {}
            other => return unsupported_grant(other.unwrap_or("")),
        }
        if !self.knows_client(request.authorization.as_deref()) {
            return invalid_client();
        }
        let Some(token) = form.get("refresh_token").filter(|token| !token.is_empty()) else {
            return Answer::sso_error(400, "invalid_request", "Refresh token is missing.");
        };
        if !is_well_formed(token) {
            return invalid_grant(MALFORMED);
        }
        match self.refresh_tokens.grant(token).cloned() {
            Some(grant) if grant.standing == Standing::Live => self.grant_tokens(now, token, &grant),
            Some(grant) if grant.standing == Standing::Revoked => invalid_grant(GRANT_MISSING),
            Some(_) | None => invalid_grant(TOKEN_MISSING),
        }
    }

    fn grant_tokens(&mut self, now: DateTime<Utc>, token: &str, grant: &Grant) -> Answer {
        let refresh_token = self.rotate(token, grant);
        let Some(character) = self.world.character(grant.character_id) else {
            return invalid_grant(GRANT_MISSING);
        };
        let access_token =
            access_token::issue(&self.signing_key, &mut self.chance, now, &self.settings, character, &grant.scopes);
        let body = json!({
            "access_token": access_token,
            "expires_in": self.settings.expires_in_seconds,
            "token_type": "Bearer",
            "refresh_token": refresh_token,
        });
        Answer::json(200, body.to_string())
    }

    /// Whose token a refresh names, in whatever standing: faults and counters go by it.
    pub(super) fn character_of_refresh(&self, body: &str) -> Option<CharacterId> {
        let form = form(body);
        self.refresh_tokens.grant(form.get("refresh_token")?).map(|grant| grant.character_id)
    }

    fn rotate(&mut self, token: &str, grant: &Grant) -> String {
        match self.settings.rotation {
            Rotation::Never => return token.to_owned(),
            Rotation::Always => {}
            Rotation::AlwaysKillOld => self.refresh_tokens.replace(token),
        }
        self.refresh_tokens.issue(&mut self.chance, grant.character_id, &grant.scopes)
    }

    fn knows_client(&self, authorization: Option<&str>) -> bool {
        let expected = format!("{}:{}", self.settings.client_id, self.settings.client_secret);
        authorization
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|value| STANDARD.decode(value).ok())
            .is_some_and(|pair| pair == expected.as_bytes())
    }
}

/// The discovery document, for a service that was reached under `base_url`. The issuer is not the simulator's address
/// but CCP's, because the tokens carry that too.
#[must_use]
pub(super) fn discovery(base_url: &str) -> Answer {
    let methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt"];
    let document = json!({
        "issuer": "https://login.eveonline.com",
        "authorization_endpoint": format!("{base_url}/v2/oauth/authorize"),
        "token_endpoint": format!("{base_url}/v2/oauth/token"),
        "userinfo_endpoint": format!("{base_url}/v2/oauth/verify"),
        "response_types_supported": ["code", "token"],
        "jwks_uri": format!("{base_url}/oauth/jwks"),
        "revocation_endpoint": format!("{base_url}/v2/oauth/revoke"),
        "subject_types_supported": ["public"],
        "revocation_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_methods_supported": methods,
        "id_token_signing_alg_values_supported": ["HS256"],
        "token_endpoint_auth_signing_alg_values_supported": ["HS256"],
        "code_challenge_methods_supported": ["S256"],
    });
    Answer::json(200, document.to_string())
}

/// 500, when too many token calls are in flight.
#[must_use]
pub(super) fn overloaded() -> Answer {
    Answer::json(500, r#"{"Message":"An error has occurred."}"#)
}

/// 400 with one of the three descriptions above.
#[must_use]
pub(super) fn invalid_grant(description: &str) -> Answer {
    Answer::sso_error(400, "invalid_grant", description)
}

/// 401: client id or secret are wrong. The end of the description is not on record; clients go by `error`.
#[must_use]
pub(super) fn invalid_client() -> Answer {
    let mut answer = Answer::sso_error(401, "invalid_client", "Missing or invalid client credentials.");
    answer.set("WWW-Authenticate", r#"Basic realm="login.eveonline.com""#);
    answer
}

/// 400, also for a body that is no form.
fn unsupported_grant(grant_type: &str) -> Answer {
    Answer::sso_error(400, "unsupported_grant_type", &format!("Grant type {grant_type} is not supported."))
}

fn form(body: &str) -> HashMap<Cow<'_, str>, Cow<'_, str>> {
    url::form_urlencoded::parse(body.as_bytes()).collect()
}
