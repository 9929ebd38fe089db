//! What a sibling is answered: a token, or a word for programs and a reason for people.

use std::time::Duration;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use service::metrics as names;

use crate::sibling::{IssuedToken, NotIssued};

/// Not to be printed: it may hold a token.
#[derive(Clone)]
pub(super) struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Value,
}

impl Answer {
    pub(super) fn token(token: &IssuedToken) -> Self {
        let body = json!({
            "access_token": token.secret.expose_secret(),
            "expires_at": token.expires_at,
            "scopes": token.scopes,
            "character_id": token.character_id,
        });
        Self { status: StatusCode::OK, retry_after: None, body }
    }

    pub(super) fn not_issued(why: &NotIssued) -> Self {
        let reason = why.to_string();
        match why {
            NotIssued::UnknownCharacter(_) => Self::no_such_character(),
            NotIssued::ScopeMissing => Self::refused(StatusCode::FORBIDDEN, "scope_missing", &reason),
            NotIssued::Login { reason: word, retry_after } => {
                let refused = Self::refused(StatusCode::CONFLICT, word.name(), &reason);
                Self { retry_after: Some(*retry_after), ..refused }
            }
            NotIssued::NotNow { retry_after, .. } => Self::not_now(&reason, *retry_after),
            NotIssued::Stopping => Self::not_now(&reason, RETRY_ELSEWHERE),
            // What our database has to say is for our own log.
            NotIssued::Store(_) => Self::not_now("the database does not answer as it should", RETRY_DATABASE),
        }
    }

    pub(super) fn not_now(reason: &str, retry_after: Duration) -> Self {
        let refused = Self::refused(StatusCode::SERVICE_UNAVAILABLE, "not_now", reason);
        Self { retry_after: Some(retry_after), ..refused }
    }

    pub(super) fn unauthorized() -> Self {
        let reason = "send the secret, as `Authorization: Bearer SECRET`";
        Self::refused(StatusCode::UNAUTHORIZED, "unauthorized", reason)
    }

    pub(super) fn no_such_character() -> Self {
        Self::refused(StatusCode::NOT_FOUND, "unknown_character", "no such character is known")
    }

    pub(super) fn malformed(status: StatusCode, problem: &str) -> Self {
        Self::refused(status, "malformed", problem)
    }

    fn refused(status: StatusCode, word: &str, reason: &str) -> Self {
        Self { status, retry_after: None, body: json!({ "error": word, "reason": reason }) }
    }

    /// When it is worth asking again, if that is ever known.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The same, after a while.
    pub(super) fn later(self, elapsed: Duration) -> Self {
        Self { retry_after: self.retry_after.map(|span| span.saturating_sub(elapsed)), ..self }
    }
}

/// Another process of the fleet may be there at once.
const RETRY_ELSEWHERE: Duration = Duration::from_secs(1);
const RETRY_DATABASE: Duration = Duration::from_secs(10);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(span) = self.retry_after {
            // Whole seconds, and never none: that would be at once.
            let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

/// Of every answer, those that are not ours among them (a body that is too long, another method).
pub(super) async fn not_to_be_kept(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    metrics::counter!(names::TOKENS_ASKED_FOR, "status" => response.status().as_str().to_owned()).increment(1);
    response
}
