//! What is written down about a token stream: the words of the table `token_event`.
//!
//! An event is told in the same transaction as what it tells of. Its detail never holds a secret.

use super::health::StreamState;

/// Something that has happened to a token stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenEvent<'a> {
    /// Its refresh token was stored.
    SignedIn,
    /// The login turned out not to be one, and the stream was taken back.
    LoginAbandoned,
    /// The provider granted a refresh.
    Refreshed,
    /// The provider gave another refresh token in place of the old one.
    Rotated,
    /// A refresh was refused for the user's sake, and this was held against the login.
    Refused { code: &'a str },
    /// A refresh was refused for the user's sake, and the provider is not believed.
    RefusalWithheld { code: &'a str },
    /// The provider may have answered a refresh, and we have not seen the answer.
    AnswerLost,
    /// From one state to another one.
    StateChanged { from: StreamState, to: StreamState },
    /// A login that was never granted before has become suspect, while others were granted.
    NewSuspect,
    /// The token belongs to somebody else now.
    Quarantined { reason: &'a str },
    /// Its tokens were sealed with another key.
    KeyChanged { from: &'a str, to: &'a str },
    /// Its access token was given to a sibling service.
    Issued { to: &'a str },
    /// The provider said of an access token that it is not good any more.
    AccessRevoked,
    /// ESI refused a scope that was granted.
    ScopeRefused { scope: &'a str },
    /// ESI takes a scope again that it had refused.
    ScopeAccepted { scope: &'a str },
}

impl TokenEvent<'_> {
    /// What the mass-failure breaker counts: a login that was good and is believed no more.
    pub const TURNED_SUSPECT: Self = Self::StateChanged { from: StreamState::Active, to: StreamState::Suspect };

    /// The word in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::LoginAbandoned => "login_abandoned",
            Self::Refreshed => "refreshed",
            Self::Rotated => "rotated",
            Self::Refused { .. } => "refused",
            Self::RefusalWithheld { .. } => "refusal_withheld",
            Self::AnswerLost => "answer_lost",
            Self::StateChanged { .. } | Self::NewSuspect => "state_changed",
            Self::Quarantined { .. } => "quarantined",
            Self::KeyChanged { .. } => "key_changed",
            Self::Issued { .. } => "issued",
            Self::AccessRevoked => "access_revoked",
            Self::ScopeRefused { .. } => "scope_refused",
            Self::ScopeAccepted { .. } => "scope_accepted",
        }
    }

    /// What else there is to say.
    #[must_use]
    pub fn detail(self) -> Option<String> {
        match self {
            Self::SignedIn
            | Self::LoginAbandoned
            | Self::Refreshed
            | Self::Rotated
            | Self::AnswerLost
            | Self::AccessRevoked => None,
            Self::Refused { code } | Self::RefusalWithheld { code } => Some(code.to_owned()),
            Self::StateChanged { from, to } => Some(format!("{} -> {}", from.name(), to.name())),
            Self::NewSuspect => Some(format!("new -> {}", StreamState::Suspect.name())),
            Self::Quarantined { reason } => Some(reason.to_owned()),
            Self::KeyChanged { from, to } => Some(format!("{from} -> {to}")),
            Self::Issued { to } => Some(to.to_owned()),
            Self::ScopeRefused { scope } | Self::ScopeAccepted { scope } => Some(scope.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_breaker_counts_is_told_from_what_it_does_not() {
        let told = |event: TokenEvent<'_>| (event.name(), event.detail());
        assert_eq!(told(TokenEvent::TURNED_SUSPECT), ("state_changed", Some("active -> suspect".to_owned())));
        assert_eq!(told(TokenEvent::NewSuspect), ("state_changed", Some("new -> suspect".to_owned())));
        let probed_again = TokenEvent::StateChanged { from: StreamState::Suspect, to: StreamState::Dead };
        assert_eq!(told(probed_again), ("state_changed", Some("suspect -> dead".to_owned())));
    }
}
