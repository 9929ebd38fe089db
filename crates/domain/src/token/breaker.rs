//! When the provider is believed no more.
//!
//! EVE SSO has refused good tokens in masses before. So logins turn suspect only at a bounded rate, and when more of
//! them would, it is taken to be the provider's fault: nobody is marked, nobody is refreshed, and with every tick, at
//! most once a minute, one login is tried (the canary) until one is granted. Why it is so stands in
//! `docs/decisions/0010-breaker.md`.

use std::time::Duration;

use super::health::{Health, StreamState};

/// What is looked back upon.
pub const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Logins that may turn suspect within the window in any case.
const SUSPECTS_MIN: u64 = 5;
/// Of the refreshes within the window, in percent, that may turn suspect.
const SUSPECTS_PERCENT: u64 = 5;
/// Between two canaries of the whole fleet there is at least this.
pub const CANARY_EVERY: Duration = Duration::from_secs(60);
/// Canaries of different logins that must be refused before the operator is told that it may not be the provider.
pub const CANARIES_TO_TELL: u32 = 3;

/// Logins that may turn suspect within the window, with so many refreshes in it that were granted or refused.
#[must_use]
pub fn suspects_max(refreshes: u64) -> u64 {
    SUSPECTS_MIN.max(refreshes * SUSPECTS_PERCENT / 100)
}

/// What a refused login was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedLogin {
    /// Its last refresh was good.
    Good,
    /// It has never been granted: it says little about the provider as long as twice as many are granted as are
    /// refused. So an import of many logins, of which some are over, stops nobody.
    New,
    /// It has strikes, or is given up: one more turns nobody suspect.
    Marked,
}

impl RefusedLogin {
    #[must_use]
    pub fn of(health: &Health, was_ever_granted: bool) -> Self {
        match health.state {
            StreamState::Active if was_ever_granted => Self::Good,
            StreamState::Active => Self::New,
            StreamState::Suspect | StreamState::Dead | StreamState::Quarantined => Self::Marked,
        }
    }
}

/// What the fleet has seen within [`WINDOW`], without the refusal that is to be ruled on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    pub granted: u64,
    /// For the user's sake.
    pub refused: u64,
    /// Good logins that turned suspect.
    pub turned_suspect: u64,
    /// Good logins that were refused, whether they turned suspect or not, since the breaker was last closed.
    pub doubted_since_closed: u64,
}

/// What becomes of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It is held against the login.
    Mark,
    /// The same, and it says nothing of the provider.
    MarkNew,
    /// It is held against nobody.
    Withhold,
    /// It is held against nobody, and it is the one too many: all refreshes pause.
    Open,
}

/// Decides on a login that was refused for its user's sake.
#[must_use]
pub fn rule(is_open: bool, login: RefusedLogin, seen: &Seen) -> Ruling {
    let suspects_max = suspects_max(seen.granted + seen.refused + 1);
    match login {
        _ if is_open => Ruling::Withhold,
        RefusedLogin::Marked => Ruling::Mark,
        RefusedLogin::New if seen.granted > 2 * seen.refused => Ruling::MarkNew,
        RefusedLogin::New | RefusedLogin::Good if seen.turned_suspect < suspects_max => Ruling::Mark,
        // A canary has been granted a moment ago: it takes as many again until the provider is believed no more.
        RefusedLogin::New | RefusedLogin::Good if seen.doubted_since_closed < suspects_max => Ruling::Withhold,
        RefusedLogin::New | RefusedLogin::Good => Ruling::Open,
    }
}

/// Why all refreshes pause, for the operator. `canaries_refused` are those since it was opened.
#[must_use]
pub fn reason(opened_because: &str, canaries_refused: u32) -> String {
    let told = format!(
        "{opened_because}: it is taken to be EVE SSO's fault, no login is marked, and one is tried with every tick, \
         at most once a minute, until one is granted"
    );
    match canaries_refused {
        0 => told,
        1..CANARIES_TO_TELL => format!("{told} ({canaries_refused} refused so far)"),
        _ => format!(
            "{told}. {canaries_refused} have been refused since: unless EVE SSO has an outage, look at the application \
             at https://developers.eveonline.com: its logins may have been revoked, and their pilots have to sign in"
        ),
    }
}

/// Why the breaker opens with the refusal after these.
#[must_use]
pub fn opened_because(seen: &Seen) -> String {
    let (refused, refreshes) = (seen.refused + 1, seen.granted + seen.refused + 1);
    let most = suspects_max(refreshes);
    format!("EVE SSO has refused {refused} of {refreshes} refreshes within 5 minutes, and {most} are believed at once")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn five_are_believed_or_five_of_a_hundred() {
        for (refreshes, expected) in [(0, 5), (1, 5), (100, 5), (119, 5), (120, 6), (1_000, 50), (10_000, 500)] {
            assert_eq!(suspects_max(refreshes), expected, "{refreshes}");
        }
    }

    #[test]
    fn table_of_rulings() {
        use RefusedLogin::{Good, Marked, New};
        use Ruling::{Mark, MarkNew, Open, Withhold};
        let seen = |granted, refused, turned_suspect, doubted_since_closed| Seen {
            granted,
            refused,
            turned_suspect,
            doubted_since_closed,
        };
        let cases = [
            (Good, seen(0, 0, 0, 0), Mark),
            (Good, seen(0, 4, 4, 4), Mark),
            (Good, seen(0, 5, 5, 5), Open),
            (Good, seen(94, 5, 5, 5), Open),
            (Good, seen(114, 5, 5, 5), Mark),
            // Shortly after a canary was granted.
            (Good, seen(1, 6, 5, 0), Withhold),
            (Good, seen(1, 10, 5, 4), Withhold),
            (Good, seen(1, 11, 5, 5), Open),
            (New, seen(181, 90, 5, 0), MarkNew),
            (New, seen(10, 5, 5, 5), Open),
            (New, seen(0, 0, 0, 0), Mark),
            (Marked, seen(0, 99, 5, 99), Mark),
        ];
        for (login, seen, expected) in cases {
            assert_eq!(rule(false, login, &seen), expected, "{login:?} {seen:?}");
            assert_eq!(rule(true, login, &seen), Withhold);
        }
    }

    #[test]
    fn the_operator_is_told_more_once_several_canaries_were_refused() {
        let because = opened_because(&Seen { refused: 5, ..Seen::default() });
        assert_eq!(because, "EVE SSO has refused 6 of 6 refreshes within 5 minutes, and 5 are believed at once");
        assert!(!reason(&because, 2).contains("developers.eveonline.com"));
        assert!(reason(&because, 3).contains("3 have been refused since"));
    }

    /// One thing that happens at a second.
    #[derive(Debug, Clone, Copy)]
    enum Happens {
        Granted,
        Refused,
        CanaryGranted,
    }

    fn happenings() -> impl Strategy<Value = Vec<(u64, Happens)>> {
        let happens = prop_oneof![
            2 => Just(Happens::Granted), 6 => Just(Happens::Refused), 1 => Just(Happens::CanaryGranted)
        ];
        prop::collection::vec((0_u64..40, happens), 1..400)
    }

    proptest! {
        #[test]
        fn never_more_turn_suspect_than_it_says(happenings in happenings()) {
            let (mut now, mut opened, mut closed_at) = (0, false, 0);
            // When; whether it was granted; whether a login turned suspect by it.
            let mut history: Vec<(u64, bool, bool)> = Vec::new();
            for (later, happens) in happenings {
                now += later;
                let since = now.saturating_sub(WINDOW.as_secs());
                let window: Vec<_> = history.iter().filter(|(at, ..)| *at >= since).collect();
                let count = |is: &dyn Fn(&(u64, bool, bool)) -> bool| window.iter().filter(|one| is(one)).count() as u64;
                let seen = Seen {
                    granted: count(&|(_, granted, _)| *granted),
                    refused: count(&|(_, granted, _)| !granted),
                    turned_suspect: count(&|(_, _, turned)| *turned),
                    doubted_since_closed: count(&|(at, granted, _)| !granted && *at >= closed_at),
                };
                match happens {
                    Happens::Granted if !opened => history.push((now, true, false)),
                    Happens::Refused => {
                        let ruling = rule(opened, RefusedLogin::Good, &seen);
                        opened |= ruling == Ruling::Open;
                        history.push((now, false, ruling == Ruling::Mark));
                        let marked = seen.turned_suspect + u64::from(ruling == Ruling::Mark);
                        let refreshes = seen.granted + seen.refused + 1;
                        prop_assert!(ruling != Ruling::Mark || marked <= 5.max(refreshes / 20), "{} {:?}", marked, seen);
                    }
                    Happens::CanaryGranted if opened => {
                        (opened, closed_at) = (false, now);
                        history.push((now, true, false));
                    }
                    Happens::Granted | Happens::CanaryGranted => {}
                }
            }
        }

        #[test]
        fn a_wave_of_refusals_alone_marks_five_and_opens_with_the_sixth(logins in 6_u64..1_000) {
            let (mut seen, mut is_open, mut marked) = (Seen::default(), false, 0);
            for _ in 0..logins {
                let ruling = rule(is_open, RefusedLogin::Good, &seen);
                is_open |= ruling == Ruling::Open;
                marked += u64::from(ruling == Ruling::Mark);
                seen.refused += 1;
                seen.doubted_since_closed += 1;
                seen.turned_suspect = marked;
            }
            prop_assert_eq!((marked, is_open), (5, true));
        }
    }
}
