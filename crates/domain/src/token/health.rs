//! `active → suspect → dead`, and back to `active` by a good refresh.
//!
//! A refused refresh is normally final, but EVE SSO has refused good tokens during outages, so one refusal condemns
//! nobody: a login is dead only after [`STRIKES_TO_DEAD`] refusals that span at least [`SPAN_TO_DEAD`]. The sealed
//! refresh token is kept in every state.

use chrono::{DateTime, TimeDelta, Utc};

/// Refusals before a login is given up.
pub const STRIKES_TO_DEAD: u32 = 3;
/// The first and the last of them are at least this far apart.
pub const SPAN_TO_DEAD: TimeDelta = TimeDelta::hours(24);
/// After the first refusal, the second, and so on; the last step repeats.
const PROBE_AFTER: [TimeDelta; 4] = [TimeDelta::minutes(15), TimeDelta::hours(1), TimeDelta::hours(6), PROBE_AFTER_MAX];
const PROBE_AFTER_MAX: TimeDelta = TimeDelta::hours(24);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamState {
    /// As far as we know it can be refreshed.
    Active,
    /// Its last refresh was refused; it is probed again at `next_probe_at`.
    Suspect,
    /// Refused too often for too long: only a new login helps.
    Dead,
    /// The token now belongs to another account (the owner hash changed): not used and not refreshed.
    Quarantined,
}

impl StreamState {
    pub const ALL: [Self; 4] = [Self::Active, Self::Suspect, Self::Dead, Self::Quarantined];

    /// The word in the database and in the views.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Quarantined => "quarantined",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether an access token of such a stream may still be sent to ESI while it lives.
    #[must_use]
    pub fn may_be_used(self) -> bool {
        matches!(self, Self::Active | Self::Suspect)
    }
}

/// What a refresh came to, for the login that it was of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshEnd {
    /// The provider gave new tokens, and they were found to be this character's.
    Granted,
    /// The provider refused the refresh token for the user's sake, and is believed.
    Refused,
    /// The new token was found to belong to another account than before.
    OwnerChanged,
    /// Trouble of the provider, a setting of ours, an answer that cannot be used, a refusal that is not believed: none
    /// of it speaks of the login.
    Trouble,
}

/// What is remembered about the refreshes of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub state: StreamState,
    /// Refusals since the last good refresh.
    pub strikes: u32,
    pub first_refused_at: Option<DateTime<Utc>>,
    pub next_probe_at: Option<DateTime<Utc>>,
}

impl Health {
    /// Of a stream whose last refresh was good.
    #[must_use]
    pub fn fresh() -> Self {
        Self { state: StreamState::Active, strikes: 0, first_refused_at: None, next_probe_at: None }
    }

    #[must_use]
    pub fn may_be_refreshed(&self, now: DateTime<Utc>) -> bool {
        match self.state {
            StreamState::Active => true,
            // One that is further ahead than any is put was put there by a clock that was wrong.
            StreamState::Suspect => self.next_probe_at.is_none_or(|at| at <= now || at - now > PROBE_AFTER_MAX),
            StreamState::Dead | StreamState::Quarantined => false,
        }
    }

    /// After a refresh that was begun at `now`. Nothing leads out of quarantine but another login, which begins anew.
    #[must_use]
    pub fn after(&self, end: RefreshEnd, now: DateTime<Utc>) -> Self {
        match (self.state, end) {
            (StreamState::Quarantined, _) | (_, RefreshEnd::Trouble) => self.clone(),
            (_, RefreshEnd::Granted) => Self::fresh(),
            (_, RefreshEnd::Refused) => self.after_refusal(now),
            (_, RefreshEnd::OwnerChanged) => {
                Self { state: StreamState::Quarantined, next_probe_at: None, ..self.clone() }
            }
        }
    }

    fn after_refusal(&self, now: DateTime<Utc>) -> Self {
        let strikes = self.strikes.saturating_add(1);
        let first_refused_at = self.first_refused_at.unwrap_or(now);
        let is_over = strikes >= STRIKES_TO_DEAD && now - first_refused_at >= SPAN_TO_DEAD;
        let step = PROBE_AFTER[(strikes as usize - 1).min(PROBE_AFTER.len() - 1)];
        Self {
            state: if is_over { StreamState::Dead } else { StreamState::Suspect },
            strikes,
            first_refused_at: Some(first_refused_at),
            next_probe_at: (!is_over).then_some(now + step),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    #[test]
    fn a_probe_that_a_wrong_clock_has_put_far_ahead_is_due() {
        let health = Health::fresh().after(RefreshEnd::Refused, start() + TimeDelta::days(300));
        assert!(health.may_be_refreshed(start()));
        let farthest = Health { next_probe_at: Some(start() + PROBE_AFTER_MAX), ..health };
        assert!(!farthest.may_be_refreshed(start()));
    }

    #[test]
    fn a_refused_login_is_probed_four_times_before_it_is_given_up() {
        let mut now = start();
        let mut health = Health::fresh();
        let mut probes = Vec::new();
        while health.state != StreamState::Dead {
            health = health.after(RefreshEnd::Refused, now);
            if let Some(next) = health.next_probe_at {
                probes.push((next - now).num_minutes());
                assert!(!health.may_be_refreshed(next - TimeDelta::seconds(1)));
                assert!(health.may_be_refreshed(next));
                now = next;
            }
        }
        assert_eq!(probes, [15, 60, 360, 1440]);
        assert_eq!(health.strikes, 5);
        assert!(!health.may_be_refreshed(now + TimeDelta::days(365)));
    }

    #[test]
    fn a_good_refresh_forgives_all_but_another_owner_does_not() {
        let suspect = Health::fresh().after(RefreshEnd::Refused, start());
        assert_eq!(suspect.after(RefreshEnd::Granted, start()), Health::fresh());
        let quarantined = suspect.after(RefreshEnd::OwnerChanged, start());
        assert!(!quarantined.state.may_be_used());
        for end in [RefreshEnd::Granted, RefreshEnd::Refused, RefreshEnd::OwnerChanged, RefreshEnd::Trouble] {
            assert_eq!(quarantined.after(end, start()), quarantined, "{end:?}");
        }
    }

    #[test]
    fn names_can_be_read_back() {
        for state in StreamState::ALL {
            assert_eq!(StreamState::from_name(state.name()), Some(state));
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Happens {
        Refresh(RefreshEnd),
        Login,
    }

    fn history() -> impl Strategy<Value = Vec<(i64, Happens)>> {
        let refresh = |end| Just(Happens::Refresh(end));
        let happens = prop_oneof![
            4 => refresh(RefreshEnd::Granted),
            12 => refresh(RefreshEnd::Refused),
            12 => refresh(RefreshEnd::Trouble),
            1 => refresh(RefreshEnd::OwnerChanged),
            1 => Just(Happens::Login),
        ];
        prop::collection::vec((0_i64..1_000, happens), 1..60)
    }

    proptest! {
        #[test]
        fn whatever_happens_only_three_refusals_over_a_day_without_a_grant_give_a_login_up(history in history()) {
            let (mut now, mut health) = (start(), Health::fresh());
            let mut refused: Vec<DateTime<Utc>> = Vec::new();
            for (minutes, happens) in history {
                now += TimeDelta::minutes(minutes);
                let before = health;
                let was_quarantined = before.state == StreamState::Quarantined;
                health = match happens {
                    Happens::Refresh(end) => before.after(end, now),
                    Happens::Login => Health::fresh(),
                };
                match happens {
                    Happens::Refresh(_) if was_quarantined => prop_assert_eq!(&health, &before),
                    Happens::Refresh(RefreshEnd::Granted) | Happens::Login => {
                        refused.clear();
                        prop_assert_eq!(&health, &Health::fresh());
                    }
                    Happens::Refresh(RefreshEnd::Refused) => {
                        refused.push(now);
                        prop_assert!(matches!(health.state, StreamState::Suspect | StreamState::Dead));
                    }
                    Happens::Refresh(RefreshEnd::OwnerChanged) => {
                        prop_assert_eq!(health.state, StreamState::Quarantined);
                        prop_assert!(!health.state.may_be_used());
                        prop_assert!(!health.may_be_refreshed(now + TimeDelta::days(365)));
                    }
                    Happens::Refresh(RefreshEnd::Trouble) => prop_assert_eq!(&health, &before),
                }
                prop_assert_eq!(health.strikes as usize, refused.len());
                if health.state != StreamState::Quarantined {
                    let is_over = refused.len() >= 3 && *refused.last().unwrap() - refused[0] >= TimeDelta::hours(24);
                    prop_assert_eq!(health.state == StreamState::Dead, is_over);
                }
                if health.state == StreamState::Suspect {
                    prop_assert!(health.next_probe_at.is_some_and(|at| at > *refused.last().unwrap()));
                }
            }
        }

        #[test]
        fn dead_takes_three_strikes_over_a_day(gaps_minutes in prop::collection::vec(0_i64..3000, 1..12)) {
            let (mut now, mut health) = (start(), Health::fresh());
            for gap in gaps_minutes {
                now += TimeDelta::minutes(gap);
                health = health.after(RefreshEnd::Refused, now);
                let span = now - health.first_refused_at.unwrap();
                prop_assert_eq!(
                    health.state == StreamState::Dead,
                    health.strikes >= STRIKES_TO_DEAD && span >= SPAN_TO_DEAD
                );
                if health.state == StreamState::Dead {
                    break;
                }
            }
        }
    }
}
