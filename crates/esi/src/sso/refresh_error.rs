//! Why a refresh brought no grant: the user's login, our configuration, or trouble that passes.

use std::time::Duration;

use domain::token::{RefusalClass, classify};
use domain::{Failure, FailureClass};
use thiserror::Error;

use super::grant::GrantError;
use crate::http::answer::RawAnswer;
use crate::http::headers::{DEFAULT_WAIT, retry_after};
use crate::http::redact::Redactor;

/// A refused login is tried again after this, like a suspect stream's first probe.
const FIRST_PROBE_AFTER: Duration = Duration::from_secs(15 * 60);

/// `Display` and [`RefreshError::failure`] hold no secret and may go into rows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RefreshError {
    /// EVE SSO said no. `class` is [`RefusalClass::User`] or [`RefusalClass::Configuration`].
    #[error("EVE SSO refused the refresh: {status} {code}: {description}")]
    Refused {
        class: RefusalClass,
        status: u16,
        /// Of OAuth, such as `invalid_grant`; `http_<status>` if there was none.
        code: String,
        /// EVE SSO's words, bounded and without the tokens that were sent.
        description: String,
    },
    /// Nothing is to be remembered against the login.
    #[error("EVE SSO could not refresh: {trouble}")]
    Transient {
        trouble: Trouble,
        /// What EVE SSO asked for; a minute for a 429 that does not say.
        retry_after: Option<Duration>,
    },
}

/// Trouble of EVE SSO, or on the way to it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Trouble {
    /// 5xx, 429, or a refusal that says nothing we could hold against anybody.
    #[error("it answered {status} ({said})")]
    Unavailable {
        status: u16,
        said: String,
        /// Of OAuth, such as `invalid_scope`, in an answer that refuses this very refresh.
        code: Option<String>,
    },
    /// Redirects are not followed.
    #[error("it answered {status} and points to {target}")]
    Redirected { status: u16, target: String },
    #[error("its answer is unreadable: {0}")]
    Unreadable(GrantError),
    /// No answer, or not to its end: the refresh may have been done all the same.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// There was no connection: the refresh token did not leave us.
    #[error("it cannot be reached: {0}")]
    NotSent(String),
}

impl From<Trouble> for RefreshError {
    fn from(trouble: Trouble) -> Self {
        Self::Transient { trouble, retry_after: None }
    }
}

impl RefreshError {
    /// An answer that is not a success.
    pub(super) fn refused(raw: &RawAnswer, redactor: &Redactor<'_>) -> Self {
        let status = raw.status;
        if raw.is_redirect() {
            return Trouble::Redirected { status, target: raw.redirect_target(redactor) }.into();
        }
        let body = raw.error_body();
        let code = body.error.as_ref().and_then(|error| machine_word(&redactor.clean(error)));
        match classify(status, body.error.as_deref(), body.description.as_deref()) {
            RefusalClass::Transient => Self::Transient {
                trouble: Trouble::Unavailable {
                    status,
                    said: body.told(redactor),
                    code: code.filter(|_| matches!(status, 400 | 401 | 403)),
                },
                retry_after: retry_after(&raw.headers).or((status == 429).then_some(DEFAULT_WAIT)),
            },
            class => Self::Refused {
                class,
                status,
                code: code.unwrap_or_else(|| format!("http_{status}")),
                description: body.description.map(|text| redactor.clean(&text)).unwrap_or_default(),
            },
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn class(&self) -> RefusalClass {
        match self {
            Self::Refused { class, .. } => *class,
            Self::Transient { .. } => RefusalClass::Transient,
        }
    }

    /// A short machine word, for the row's last error.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Transient { trouble, .. } => match trouble {
                Trouble::Unavailable { code, .. } => code.as_deref().unwrap_or("sso_unavailable"),
                Trouble::Redirected { .. } => "sso_redirected",
                Trouble::Unreadable(_) => "sso_unreadable",
                Trouble::Unreachable(_) | Trouble::NotSent(_) => "sso_unreachable",
            },
        }
    }

    /// The form in which it is remembered. A job whose login was refused is skipped by its handler; its class here
    /// only makes sure that nothing is parked for it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let class = match self {
            Self::Refused { class: RefusalClass::Configuration, .. } => FailureClass::Configuration,
            Self::Refused { .. } => FailureClass::Wait(FIRST_PROBE_AFTER),
            Self::Transient { retry_after: Some(delay), .. } => FailureClass::Wait(*delay),
            Self::Transient { retry_after: None, .. } => FailureClass::Transient,
        };
        Failure::is(class, self.to_string())
    }
}

/// `invalid_grant` of `invalid_grant: Token is expired or invalid.`
fn machine_word(error: &str) -> Option<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    let word: String = error.chars().take_while(|&character| is_part(character)).take(64).collect();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_one_word() {
        assert_eq!(machine_word("invalid_grant: Token is expired or invalid.").as_deref(), Some("invalid_grant"));
        assert_eq!(machine_word(&"x".repeat(99)).map(|word| word.len()), Some(64));
        assert_eq!(machine_word("[cut]"), None);
    }

    #[test]
    fn no_class_parks_a_list() {
        let refused = |class| RefreshError::Refused {
            class,
            status: 400,
            code: "invalid_grant".to_owned(),
            description: "Gone.".to_owned(),
        };
        let trouble =
            |retry_after| RefreshError::Transient { trouble: Trouble::Unreadable(GrantError::NotJson), retry_after };
        let minute = Duration::from_secs(60);
        let cases = [
            (refused(RefusalClass::User), FailureClass::Wait(FIRST_PROBE_AFTER)),
            (refused(RefusalClass::Configuration), FailureClass::Configuration),
            (trouble(None), FailureClass::Transient),
            (trouble(Some(minute)), FailureClass::Wait(minute)),
        ];
        for (error, class) in cases {
            assert_eq!(error.failure().class, class, "{error}");
        }
        assert_eq!(
            refused(RefusalClass::User).failure().reason,
            "EVE SSO refused the refresh: 400 invalid_grant: Gone."
        );
    }
}
