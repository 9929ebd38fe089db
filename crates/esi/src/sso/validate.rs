//! Whether an access token that has not ended still stands: asked of a provider that can tell (`GET /oauth2/validate`
//! of Twitch). EVE SSO cannot, and neither has nor needs it.

use std::time::Duration;

use domain::{Failure, FailureClass};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use crate::http::Http;
use crate::http::answer::RawAnswer;
use crate::http::headers::{DEFAULT_WAIT, retry_after};
use crate::http::redact::Redactor;

/// What the provider says of an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validity {
    Stands,
    /// It ended before its time: the pilot has disconnected the application, or changed the password. In the
    /// provider's words.
    Revoked {
        said: String,
    },
}

/// The question was not answered, which says nothing about the login. `Display` holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValidateError {
    /// Only the settings can mend it: 4xx other than 401, 408 and 429, or a redirect.
    #[error("the validate endpoint does not know what we ask: {status} ({said})")]
    NotUnderstood { status: u16, said: String },
    #[error("the validate endpoint has trouble: {why}")]
    Transient {
        why: String,
        /// What it asked for; a minute for a 429 that does not say.
        retry_after: Option<Duration>,
    },
}

impl ValidateError {
    #[must_use]
    pub fn failure(&self) -> Failure {
        let class = match self {
            Self::NotUnderstood { .. } => FailureClass::Configuration,
            Self::Transient { retry_after: Some(delay), .. } => FailureClass::Wait(*delay),
            Self::Transient { retry_after: None, .. } => FailureClass::Transient,
        };
        Failure::is(class, self.to_string())
    }
}

pub(super) async fn ask(http: &Http, url: &Url, access_token: &SecretString) -> Result<Validity, ValidateError> {
    let transient = |why| ValidateError::Transient { why, retry_after: None };
    // Twitch's name for the scheme.
    let authorization = format!("OAuth {}", access_token.expose_secret());
    // Nobody waits for it, and refreshes share the lane with it.
    let limit = http.limits().metadata;
    let request = http.get(url.clone()).timeout(limit).header("authorization", authorization);
    let raw = http.exchange(request).await.map_err(|no_answer| transient(no_answer.why))?;
    match raw.status {
        200 => match serde_json::from_slice::<Map<String, Value>>(raw.whole_body().map_err(transient)?) {
            Ok(_) => Ok(Validity::Stands),
            Err(_) => Err(transient("its answer is not a JSON object".to_owned())),
        },
        401 => Ok(Validity::Revoked { said: told(&raw, access_token) }),
        status @ (300..=399 | 400..=407 | 409..=428 | 430..=499) => {
            Err(ValidateError::NotUnderstood { status, said: told(&raw, access_token) })
        }
        status => Err(ValidateError::Transient {
            why: format!("it answered {status} ({})", told(&raw, access_token)),
            retry_after: retry_after(&raw.headers).or((status == 429).then_some(DEFAULT_WAIT)),
        }),
    }
}

fn told(raw: &RawAnswer, access_token: &SecretString) -> String {
    raw.error_body().told(&Redactor::of([access_token]))
}
