//! What a request to ESI that brought nothing means for whoever asked.

use std::fmt;
use std::time::Duration;

use domain::{ErrorLimit, Failure, FailureClass, KillmailId, ListOwner};
use secrecy::SecretString;
use thiserror::Error;
use tracing::warn;

use super::budget::Budget;
use super::{DAY, HOUR, refusal, request_id};
use crate::http::answer::RawAnswer;
use crate::http::headers;
use crate::http::redact::Redactor;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    List {
        owner: ListOwner,
        page: u32,
    },
    Body {
        killmail_id: KillmailId,
    },
    /// In which corporations so many characters are.
    Affiliations {
        characters: usize,
    },
    Status,
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List { owner, page } => write!(formatter, "killmail list of {owner}, page {page}"),
            Self::Body { killmail_id } => write!(formatter, "killmail {killmail_id}"),
            Self::Affiliations { characters } => write!(formatter, "corporations of {characters} characters"),
            Self::Status => formatter.write_str("status of the game server"),
        }
    }
}

/// What the answer, or the lack of one, asks of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EsiErrorKind {
    /// Refresh the access token once and ask once more; then back off.
    #[error("ESI does not accept the access token")]
    Unauthorized,
    /// The token does not hold the scope; another refresh will not add it.
    #[error("the login does not hold the scope that is needed")]
    ScopeMissing,
    /// The list of a corporation wants a director's token, and this character is none.
    #[error("the character has not the role that is needed")]
    RoleMissing,
    /// The character of the token is not in that corporation, or not any more.
    #[error("the character is not in the corporation")]
    NotInCorporation,
    /// Another 403 that ESI means, such as a ban.
    #[error("ESI forbids it")]
    Forbidden,
    /// The list has become shorter than it said: its end.
    #[error("the list has no such page")]
    PageDoesNotExist,
    /// Id and hash do not belong together (422): never ask again.
    #[error("ESI knows no such pair of id and hash")]
    InvalidReference,
    /// 429: this one bucket waits. `group` is none if a limiter behind ESI answered.
    #[error("the request budget is spent")]
    BudgetSpent { group: Option<String>, retry_after: Duration },
    /// 420: every request to ESI waits, whatever its route.
    #[error("the error limit is spent")]
    ErrorLimited { retry_after: Duration },
    /// A 403 that is in truth EVE SSO's trouble.
    #[error("ESI could not check the token with EVE SSO")]
    SsoTrouble,
    /// Another 4xx: ESI does not like the request.
    #[error("ESI refused with {status}")]
    Refused { status: u16 },
    /// 5xx, or a page that something in front of ESI made.
    #[error("ESI is not available ({status})")]
    Unavailable { status: u16 },
    /// Redirects are not followed.
    #[error("ESI answered {status} and points to {target}")]
    Redirected { status: u16, target: String },
    /// A success whose body is not what the specification says, or did not arrive whole.
    #[error("the answer is unreadable: {0}")]
    Unreadable(String),
    #[error("ESI cannot be reached: {0}")]
    Unreachable(String),
}

/// Of one request. `Display` and [`EsiError::failure`] hold no secret and may go into rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EsiError {
    call: Call,
    kind: EsiErrorKind,
    /// Boxed, because every success would carry the room for it too.
    answer: Box<AnswerSeen>,
}

/// What is remembered of an answer; nothing if there was none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct AnswerSeen {
    /// ESI's own words, bounded and without secrets.
    said: Option<String>,
    budget: Option<Budget>,
    error_limit: Option<ErrorLimit>,
    request_id: Option<String>,
}

impl EsiError {
    /// An answer that is neither a success nor an awaited 304.
    pub(super) fn refused(call: Call, raw: &RawAnswer, access_token: Option<&SecretString>) -> Self {
        let body = raw.error_body();
        let redactor = Redactor::of(access_token);
        let kind = refusal::kind(call, raw, &body, &redactor);
        Self::answered(call, raw, kind, Some(body.told(&redactor)))
    }

    /// `why` may quote the body.
    pub(super) fn unreadable(call: Call, raw: &RawAnswer, access_token: Option<&SecretString>, why: &str) -> Self {
        Self::answered(call, raw, EsiErrorKind::Unreadable(Redactor::of(access_token).clean(why)), None)
    }

    fn answered(call: Call, raw: &RawAnswer, kind: EsiErrorKind, said: Option<String>) -> Self {
        let answer = AnswerSeen {
            said,
            budget: Budget::read(&raw.headers),
            error_limit: headers::error_limit(&raw.headers),
            request_id: request_id(raw),
        };
        Self { call, kind, answer: Box::new(answer) }
    }

    pub(super) fn without_answer(call: Call, kind: EsiErrorKind) -> Self {
        Self { call, kind, answer: Box::default() }
    }

    pub(super) fn logged(self) -> Self {
        warn!(kind = self.kind.name(), request_id = self.request_id(), "{self}");
        self
    }

    /// What was asked for.
    #[must_use]
    pub fn call(&self) -> Call {
        self.call
    }

    /// For callers that act on it.
    #[must_use]
    pub fn kind(&self) -> &EsiErrorKind {
        &self.kind
    }

    /// What is left of the bucket: errors are charged too (5 tokens for most).
    #[must_use]
    pub fn budget(&self) -> Option<&Budget> {
        self.answer.budget.as_ref()
    }

    /// What is left of the error limit, to which most errors of routes without a bucket are charged.
    #[must_use]
    pub fn error_limit(&self) -> Option<ErrorLimit> {
        self.answer.error_limit
    }

    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.answer.request_id.as_deref()
    }

    /// The form in which it is remembered.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::is(self.class(), self.to_string())
    }

    fn class(&self) -> FailureClass {
        match (&self.kind, self.call) {
            (EsiErrorKind::BudgetSpent { retry_after, .. } | EsiErrorKind::ErrorLimited { retry_after }, _) => {
                FailureClass::Wait(*retry_after)
            }
            // Only a login or a change in the game mends it: probed once a day, so that no storm of 403s arises.
            (
                EsiErrorKind::ScopeMissing
                | EsiErrorKind::RoleMissing
                | EsiErrorKind::NotInCorporation
                | EsiErrorKind::Forbidden,
                _,
            ) => FailureClass::Wait(DAY),
            // A list is never given up; each of these tries costs 5 of its 30 tokens. A later page is counted as failed, so
            // that the walk begins again: what is new stands on the first.
            (EsiErrorKind::Refused { .. }, Call::List { page: 1, .. }) => FailureClass::Wait(HOUR),
            (EsiErrorKind::Refused { .. }, Call::List { .. }) => FailureClass::Transient,
            (EsiErrorKind::Refused { .. } | EsiErrorKind::InvalidReference, _) => FailureClass::Refused,
            (
                EsiErrorKind::Unauthorized
                | EsiErrorKind::PageDoesNotExist
                | EsiErrorKind::SsoTrouble
                | EsiErrorKind::Unavailable { .. }
                | EsiErrorKind::Redirected { .. }
                | EsiErrorKind::Unreadable(_)
                | EsiErrorKind::Unreachable(_),
                _,
            ) => FailureClass::Transient,
        }
    }
}

impl fmt::Display for EsiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.call, self.kind)?;
        self.answer.said.as_ref().map_or(Ok(()), |said| write!(formatter, " (it said: {said})"))
    }
}

impl std::error::Error for EsiError {}

impl EsiErrorKind {
    /// The word for it in rows, logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::ScopeMissing => "scope_missing",
            Self::RoleMissing => "role_missing",
            Self::NotInCorporation => "not_in_corporation",
            Self::Forbidden => "forbidden",
            Self::PageDoesNotExist => "page_does_not_exist",
            Self::InvalidReference => "invalid_reference",
            Self::BudgetSpent { .. } => "budget_spent",
            Self::ErrorLimited { .. } => "error_limited",
            Self::SsoTrouble => "sso_trouble",
            Self::Refused { .. } => "refused",
            Self::Unavailable { .. } => "unavailable",
            Self::Redirected { .. } => "redirected",
            Self::Unreadable(_) => "unreadable",
            Self::Unreachable(_) => "unreachable",
        }
    }
}
