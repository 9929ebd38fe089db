//! The life of a login: when its access token is good, which login of a character to use, what a refused refresh
//! means and what is remembered of it.
//!
//! [`choose`] picks, [`refusal`] reads the answer of the token endpoint, [`health`] is the state machine, [`breaker`]
//! says when the provider is not believed, [`exercise`] keeps alive what nobody needs, [`look`] finds what was
//! revoked meanwhile, [`event`] has the words for what is written down.

pub mod breaker;
pub mod event;
pub mod exercise;
pub mod health;
pub mod look;
pub mod refusal;
mod spread;

use std::cmp::Reverse;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub use event::TokenEvent;
pub use health::{Health, RefreshEnd, StreamState};
pub use refusal::{RefusalClass, classify};

use crate::ids::TokenStreamId;

/// An access token must have more than this left to be sent out with a job (the buffer rule of the KillReport lifecycle).
pub const DEFAULT_BUFFER: Duration = Duration::from_secs(300);

/// What a login must have been granted for its killmail list to be read (ESI's specification).
pub const LIST_SCOPE: &str = "esi-killmails.read_killmails.v1";

/// The same for the killmail list of a corporation; its character must be a director of it as well.
pub const CORPORATION_LIST_SCOPE: &str = "esi-killmails.read_corporation_killmails.v1";

/// A scope that ESI has refused although it was granted is tried again after this.
pub const SCOPE_PROBED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What the rules need to know of one token stream. The tokens themselves stay sealed in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    pub token_stream_id: TokenStreamId,
    pub health: Health,
    pub has_access_token: bool,
    pub has_refresh_token: bool,
    /// Its last access token did not hold the scope that is needed, which is [`LIST_SCOPE`] unless somebody asks for
    /// another one, or ESI has refused that scope within [`SCOPE_PROBED_AFTER`]:
    /// no refresh brings it back, only another login, or a change at ESI.
    pub lacks_scope: bool,
    /// Of the last refresh that brought no token, whosever fault it was; none since the last good one.
    pub last_error_at: Option<DateTime<Utc>>,
    /// End of the access token: when the refresh was sent, plus the `expires_in` of its answer.
    pub expires_at: Option<DateTime<Utc>>,
}

/// `expires_at > now + buffer`: a token that ends exactly with the buffer is inside it.
#[must_use]
pub fn outlives(expires_at: DateTime<Utc>, now: DateTime<Utc>, buffer: Duration) -> bool {
    // A buffer too large for the calendar outlives nothing.
    TimeDelta::from_std(buffer).is_ok_and(|buffer| expires_at - now > buffer)
}

impl Stream {
    fn is_good(&self, now: DateTime<Utc>, buffer: Duration) -> bool {
        self.health.state.may_be_used()
            && !self.lacks_scope
            && self.has_access_token
            && self.expires_at.is_some_and(|expires_at| outlives(expires_at, now, buffer))
    }

    fn can_be_refreshed(&self, now: DateTime<Utc>) -> bool {
        self.has_refresh_token && !self.lacks_scope && self.health.may_be_refreshed(now)
    }
}

/// Which stream of a character to use, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Its access token outlives the buffer.
    Use(TokenStreamId),
    /// It is inside the buffer, or past it, and can be renewed.
    Refresh(TokenStreamId),
    Nothing(NoToken),
}

/// Why a character cannot be served now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoToken {
    /// Neither an access token nor a refresh token is stored: skipped at once.
    BothTokensMissing,
    /// The pilot has to sign in again: every login was refused for good, or has no refresh token.
    NeedsLogin,
    /// A refresh was refused; the login is probed again later, in case the refusal was a mistake.
    WaitingForProbe,
    /// The pilot has signed in without the scope for killmail lists.
    ScopeMissing,
}

impl NoToken {
    /// The word for it in rows, summaries and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BothTokensMissing => "both_tokens_missing",
            Self::NeedsLogin => "needs_login",
            Self::WaitingForProbe => "waiting_for_probe",
            Self::ScopeMissing => "scope_missing",
        }
    }
}

/// The healthiest stream that serves now: an active one before a suspect one, the one that lives longest first.
///
/// Of those that have to be refreshed, one without an error comes before all that have had one, then whichever has been
/// left alone for longest: so one login's endless trouble does not keep a good one from its turn.
#[must_use]
pub fn choose(streams: &[Stream], now: DateTime<Utc>, buffer: Duration) -> Choice {
    let is_active = |stream: &Stream| stream.health.state == StreamState::Active;
    let lives_longest = |stream: &Stream| (stream.expires_at, stream.token_stream_id);
    let good = streams.iter().filter(|stream| stream.is_good(now, buffer));
    if let Some(stream) = good.max_by_key(|stream| (is_active(stream), lives_longest(stream))) {
        return Choice::Use(stream.token_stream_id);
    }
    let refreshable = streams.iter().filter(|stream| stream.can_be_refreshed(now));
    let healthiest = |stream: &&Stream| (is_active(stream), Reverse(stream.last_error_at), lives_longest(stream));
    if let Some(stream) = refreshable.max_by_key(healthiest) {
        return Choice::Refresh(stream.token_stream_id);
    }
    Choice::Nothing(if !streams.iter().any(|stream| stream.has_access_token || stream.has_refresh_token) {
        NoToken::BothTokensMissing
    } else if streams
        .iter()
        .any(|stream| stream.has_refresh_token && !stream.lacks_scope && stream.health.state == StreamState::Suspect)
    {
        NoToken::WaitingForProbe
    } else if streams.iter().any(|stream| stream.lacks_scope && stream.health.state.may_be_used()) {
        NoToken::ScopeMissing
    } else {
        NoToken::NeedsLogin
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUFFER: Duration = DEFAULT_BUFFER;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn stream(id: i64, state: StreamState, left_seconds: i64) -> Stream {
        Stream {
            token_stream_id: TokenStreamId::parse(id).unwrap(),
            health: Health { state, ..Health::fresh() },
            has_access_token: true,
            has_refresh_token: true,
            lacks_scope: false,
            last_error_at: None,
            expires_at: Some(now() + TimeDelta::seconds(left_seconds)),
        }
    }

    fn choice(streams: &[Stream]) -> Choice {
        choose(streams, now(), BUFFER)
    }

    fn id(id: i64) -> TokenStreamId {
        TokenStreamId::parse(id).unwrap()
    }

    #[test]
    fn the_buffer_rule() {
        for (left_seconds, expected) in [(-1, false), (0, false), (299, false), (300, false), (301, true), (1199, true)]
        {
            let expires_at = now() + TimeDelta::seconds(left_seconds);
            assert_eq!(outlives(expires_at, now(), BUFFER), expected, "{left_seconds} s left");
        }
        assert!(!outlives(DateTime::<Utc>::MAX_UTC, now(), Duration::MAX));
    }

    #[test]
    fn the_healthiest_stream_serves() {
        use StreamState::{Active, Dead, Quarantined, Suspect};
        assert_eq!(choice(&[stream(1, Active, 600), stream(2, Active, 900)]), Choice::Use(id(2)));
        assert_eq!(choice(&[stream(1, Active, 600), stream(2, Suspect, 900)]), Choice::Use(id(1)));
        // A suspect stream whose access token still lives saves a refresh of the active one.
        assert_eq!(choice(&[stream(1, Active, 100), stream(2, Suspect, 900)]), Choice::Use(id(2)));
        assert_eq!(choice(&[stream(1, Active, 100), stream(2, Dead, 900)]), Choice::Refresh(id(1)));
        assert_eq!(choice(&[stream(1, Active, -5000), stream(2, Quarantined, 900)]), Choice::Refresh(id(1)));
    }

    #[test]
    fn one_logins_endless_trouble_does_not_keep_another_from_its_turn() {
        use StreamState::{Active, Suspect};
        let failed = |id, state, left_seconds, seconds_ago| Stream {
            last_error_at: Some(now() - TimeDelta::seconds(seconds_ago)),
            ..stream(id, state, left_seconds)
        };
        let cases = [
            // The one that lives longest is the one in trouble.
            (vec![failed(1, Active, 200, 5), stream(2, Active, 100)], Choice::Refresh(id(2))),
            // All are: in turn, however long they would live.
            (vec![failed(1, Active, 200, 5), failed(2, Active, 100, 60)], Choice::Refresh(id(2))),
            (vec![failed(1, Active, 200, 99_000), failed(2, Active, 100, 60)], Choice::Refresh(id(1))),
            (vec![failed(1, Active, 200, 5), failed(2, Active, 100, 5)], Choice::Refresh(id(1))),
            // A refused login is not tried before its turn for that.
            (vec![failed(1, Active, 200, 5), stream(2, Suspect, 100)], Choice::Refresh(id(1))),
            // Whose token is good needs no refresh.
            (vec![failed(1, Active, 900, 5), stream(2, Active, 600)], Choice::Use(id(1))),
        ];
        for (streams, expected) in cases {
            assert_eq!(choice(&streams), expected, "{streams:?}");
        }
        assert_eq!(choice(&[failed(1, Active, 100, 5)]), Choice::Refresh(id(1)), "there is no other");
    }

    #[test]
    fn who_cannot_be_served_is_told_why() {
        use StreamState::{Active, Dead, Suspect};
        let without = |mut stream: Stream, access: bool, refresh: bool| {
            stream.has_access_token &= access;
            stream.has_refresh_token &= refresh;
            stream
        };
        let nothing = |reason| Choice::Nothing(reason);
        assert_eq!(choice(&[]), nothing(NoToken::BothTokensMissing));
        assert_eq!(choice(&[without(stream(1, Active, 900), false, false)]), nothing(NoToken::BothTokensMissing));
        assert_eq!(choice(&[without(stream(1, Active, 100), true, false)]), nothing(NoToken::NeedsLogin));
        assert_eq!(choice(&[stream(1, Dead, 900)]), nothing(NoToken::NeedsLogin));
        let mut waiting = stream(1, Suspect, 100);
        waiting.health.next_probe_at = Some(now() + TimeDelta::seconds(1));
        assert_eq!(choice(&[waiting.clone(), stream(2, Dead, 900)]), nothing(NoToken::WaitingForProbe));
        waiting.health.next_probe_at = Some(now());
        assert_eq!(choice(&[waiting]), Choice::Refresh(id(1)));
        let without_scope = Stream { lacks_scope: true, ..stream(1, Active, 900) };
        assert_eq!(choice(std::slice::from_ref(&without_scope)), nothing(NoToken::ScopeMissing));
        assert_eq!(choice(&[without_scope, stream(2, Active, 100)]), Choice::Refresh(id(2)));
        // Without an access token but with a refresh token: a login whose first refresh has not been saved yet.
        assert_eq!(choice(&[without(stream(1, Active, 900), false, true)]), Choice::Refresh(id(1)));
    }
}
