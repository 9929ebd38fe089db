//! What happens after something went wrong, decided once: the row, the log, the metric and the acknowledgement all
//! use the [`Verdict`] that [`decide`] gives.

use std::fmt;
use std::time::Duration;

use crate::job::Job;

/// The question that every caller of something outside asks about its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// Trouble that passes: 5xx, a reset, a time limit, a body that was cut or is not what the specification says.
    /// Tried again for as long as it takes, more and more rarely: it is never the killmail's fault.
    Transient,
    /// We were told to wait, or have to. Waiting costs no attempt.
    Wait(Duration),
    /// The answer is no, but it could be a mistake (400 or 404 for a killmail): parked after a few tries over hours.
    Refused,
    /// Our settings are wrong. Nothing is remembered against the user or the killmail.
    Configuration,
    /// A mistake of ours, such as a body that the database will not take: parked in the same way, with its reason.
    Ours,
}

/// A failure in the form in which it is remembered: its class, and one line that says what we were doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub class: FailureClass,
    /// Goes into rows and logs: never holds a secret.
    pub reason: String,
}

impl Failure {
    #[must_use]
    pub fn is(class: FailureClass, reason: impl Into<String>) -> Self {
        Self { class, reason: reason.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(formatter)
    }
}

/// What became of a job. All but [`Verdict::HandBack`] mean that its message is acknowledged: the row says the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// There was nothing to do, or nothing that can be done now; the row says why.
    Skipped {
        reason: String,
    },
    /// The row is due again after this delay.
    RetryAfter {
        delay: Duration,
        reason: String,
        counted: Counted,
    },
    /// Set aside until somebody looks at it; the row says why.
    Parked {
        reason: String,
    },
    /// Not begun or not recorded, because this process stops or has lost its database: another worker shall have the message.
    HandBack {
        reason: String,
    },
}

/// What a try is counted as, in the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// We waited, or did not begin.
    Nothing,
    /// It went wrong for a reason that passes: the next try comes later.
    Attempt,
    /// The answer speaks against this very killmail, or the database does not take it. Counted apart, so that an outage
    /// does not bring anything nearer to being parked.
    Refusal,
}

/// What came before this try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// All of them since the last success, this one included: from 1.
    pub attempts: u32,
    /// Those among the earlier ones that were counted as [`Counted::Refusal`].
    pub refusals: u32,
}

impl Verdict {
    #[must_use]
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped { reason: reason.into() }
    }

    /// The word for it in logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped { .. } => "skipped",
            Self::RetryAfter { .. } => "retry",
            Self::Parked { .. } => "parked",
            Self::HandBack { .. } => "handed_back",
        }
    }

    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Done => None,
            Self::Skipped { reason }
            | Self::RetryAfter { reason, .. }
            | Self::Parked { reason }
            | Self::HandBack { reason } => Some(reason),
        }
    }
}

/// What a handler returns. The follow-ups are published, with confirms, before the message is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub verdict: Verdict,
    pub follow_ups: Vec<Job>,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, follow_ups: Vec::new() }
    }
}

const HOUR: Duration = Duration::from_secs(3600);
/// Between one refusal and the next try. One more refusal than there are delays parks: never within a few hours, so
/// that a mistake of ESI that lasts a morning parks nothing.
const AFTER_REFUSAL: [Duration; 2] = [HOUR, HOUR.saturating_mul(6)];
const FIRST_DELAY_SECONDS: f64 = 30.0;
const LONGEST_DELAY_SECONDS: f64 = 3600.0;
/// A setting is mended by a person: looking again every few minutes is soon enough.
const CONFIGURATION_DELAY: Duration = Duration::from_secs(300);

/// `random` is from 0 up to 1 and spreads the retries (full jitter).
#[must_use]
pub fn decide(failure: &Failure, tries: Tries, random: f64) -> Verdict {
    let reason = failure.reason.clone();
    let (delay, counted) = match failure.class {
        FailureClass::Transient => (full_jitter(tries.attempts, random), Counted::Attempt),
        FailureClass::Wait(delay) => (delay, Counted::Nothing),
        FailureClass::Configuration => (CONFIGURATION_DELAY, Counted::Nothing),
        FailureClass::Refused | FailureClass::Ours => {
            match AFTER_REFUSAL.get(usize::try_from(tries.refusals).unwrap_or(usize::MAX)) {
                Some(delay) => (*delay, Counted::Refusal),
                None => return Verdict::Parked { reason },
            }
        }
    };
    Verdict::RetryAfter { delay, reason, counted }
}

/// How long others wait when `failure` is not about the one that met it but about the way to all of them; none when it
/// is about that one alone.
#[must_use]
pub fn delay_for_others(failure: &Failure, random: f64) -> Option<Duration> {
    match failure.class {
        FailureClass::Transient => Some(full_jitter(1, random)),
        FailureClass::Wait(delay) => Some(delay),
        FailureClass::Configuration => Some(CONFIGURATION_DELAY),
        FailureClass::Refused | FailureClass::Ours => None,
    }
}

/// A random part of a span that doubles with every attempt, up to an hour; never less than a second.
fn full_jitter(attempt: u32, random: f64) -> Duration {
    let doublings = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX).min(30);
    let span = (FIRST_DELAY_SECONDS * 2_f64.powi(doublings)).min(LONGEST_DELAY_SECONDS);
    Duration::from_secs_f64((span * random.clamp(0.0, 1.0)).max(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(class: FailureClass, attempts: u32, refusals: u32) -> Verdict {
        decide(&Failure::is(class, "why"), Tries { attempts, refusals }, 1.0)
    }

    fn retry(seconds: u64, counted: Counted) -> Verdict {
        Verdict::RetryAfter { delay: Duration::from_secs(seconds), reason: "why".to_owned(), counted }
    }

    #[test]
    fn table_of_verdicts() {
        use Counted::{Attempt, Nothing, Refusal};
        let parked = || Verdict::Parked { reason: "why".to_owned() };
        let wait = FailureClass::Wait(Duration::from_secs(412));
        let cases = [
            (FailureClass::Transient, (1, 0), retry(30, Attempt)),
            (FailureClass::Transient, (2, 9), retry(60, Attempt)),
            (FailureClass::Transient, (8, 0), retry(3600, Attempt)),
            (FailureClass::Transient, (1_000_000, 0), retry(3600, Attempt)),
            (wait, (1, 0), retry(412, Nothing)),
            (wait, (99, 9), retry(412, Nothing)),
            (FailureClass::Configuration, (99, 9), retry(300, Nothing)),
            // An outage before it does not bring it nearer to being parked.
            (FailureClass::Refused, (99, 0), retry(3600, Refusal)),
            (FailureClass::Refused, (2, 1), retry(6 * 3600, Refusal)),
            (FailureClass::Refused, (3, 2), parked()),
            (FailureClass::Ours, (99, 0), retry(3600, Refusal)),
            (FailureClass::Ours, (3, 2), parked()),
        ];
        for (class, (attempts, refusals), expected) in cases {
            assert_eq!(verdict(class, attempts, refusals), expected, "{class:?} {attempts} {refusals}");
        }
    }

    #[test]
    fn what_is_about_one_alone_does_not_put_off_others() {
        let delay = |class| delay_for_others(&Failure::is(class, "why"), 1.0).map(|delay| delay.as_secs());
        assert_eq!(delay(FailureClass::Transient), Some(30));
        assert_eq!(delay(FailureClass::Wait(Duration::from_secs(412))), Some(412));
        assert_eq!(delay(FailureClass::Configuration), Some(300));
        assert_eq!((delay(FailureClass::Refused), delay(FailureClass::Ours)), (None, None));
    }

    proptest! {
        #[test]
        fn passing_trouble_never_parks_anything(attempts in 1_u32.., refusals: u32, random in 0.0..1.0_f64) {
            match decide(&Failure::is(FailureClass::Transient, "why"), Tries { attempts, refusals }, random) {
                Verdict::RetryAfter { delay, .. } => {
                    prop_assert!(delay >= Duration::from_secs(1) && delay <= Duration::from_secs(3600));
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
