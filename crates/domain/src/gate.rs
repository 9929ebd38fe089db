//! Whether ESI is open to the fleet: closed by the daily downtime, or when many calls have failed; opened by an answer
//! of `/status`, and by nothing else.
//!
//! Many failures are at first no more than a suspicion: they may be of one route. All calls wait while `/status` is
//! asked, and only when it does not say that ESI is open either, this is an outage, of which the operator is told.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Between two questions, if the answer to the first was not that ESI is open.
pub const PROBE_EVERY: Duration = Duration::from_secs(15);
/// Whatever an answer says.
const PROBE_AT_LEAST_EVERY: Duration = Duration::from_secs(2 * 60);
/// Whoever asks has this long for it; then another process does.
const PROBE_LEASE: Duration = Duration::from_secs(45);
/// Longer than this, and a return at once of everybody would be a burst.
const LONG: TimeDelta = TimeDelta::minutes(1);
/// No rule sets a time further ahead: that was a clock that was wrong.
const FARTHEST_AHEAD: TimeDelta = TimeDelta::days(1);

/// What the fleet knows of it; one for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    pub closed_at: Option<DateTime<Utc>>,
    /// It is more than a suspicion.
    pub is_certain: bool,
    /// When `/status` is to be asked, while it is closed.
    pub probe_at: Option<DateTime<Utc>>,
    /// For so long ESI goes on giving the same good answer, and asking again would tell nothing.
    pub good_until: Option<DateTime<Utc>>,
    /// Of the last downtime that was kept.
    pub downtime_ends_at: Option<DateTime<Utc>>,
}

impl Gate {
    /// Many calls have failed. False when that is known, or when ESI has just said that it is open.
    pub fn suspect(&mut self, now: DateTime<Utc>) -> bool {
        if self.closed_at.is_some() || is_ahead(self.good_until, now) {
            return false;
        }
        self.closed_at = Some(now);
        self.is_certain = false;
        self.probe_at = Some(now);
        true
    }

    /// The daily downtime has begun. False when that is known.
    pub fn begin_downtime(&mut self, ends_at: DateTime<Utc>, random: f64, now: DateTime<Utc>) -> bool {
        if self.downtime_ends_at.is_some_and(|known| known >= ends_at) && is_ahead(self.downtime_ends_at, now) {
            return false;
        }
        self.closed_at.get_or_insert(now);
        self.is_certain = true;
        self.probe_at = Some(ends_at + jittered(PROBE_EVERY / 3, random));
        self.downtime_ends_at = Some(ends_at);
        true
    }

    /// Whether it is time to ask.
    #[must_use]
    pub fn is_probe_due(&self, now: DateTime<Utc>) -> bool {
        self.closed_at.is_some() && !is_ahead(self.probe_at, now)
    }

    /// Takes the next question. False when it is not yet time for it, or in other hands.
    pub fn claim_probe(&mut self, now: DateTime<Utc>) -> bool {
        let is_due = self.is_probe_due(now);
        if is_due {
            self.probe_at = Some(now + span(PROBE_LEASE));
        }
        is_due
    }

    /// `/status` has not said that ESI is open, and its answer lives so long. True when until now that was a suspicion.
    pub fn found_closed(&mut self, lives_for: Duration, random: f64, now: DateTime<Utc>) -> bool {
        if self.closed_at.is_none() {
            return false;
        }
        if !is_ahead(self.downtime_ends_at, now) {
            let wait = lives_for.clamp(PROBE_EVERY, PROBE_AT_LEAST_EVERY);
            self.probe_at = Some(now + span(wait) + jittered(PROBE_EVERY / 3, random));
        }
        !std::mem::replace(&mut self.is_certain, true)
    }

    /// `/status` has said that ESI is open. How long it was closed; none if it was not, or if the downtime has
    /// begun since.
    pub fn found_open(&mut self, lives_for: Duration, now: DateTime<Utc>) -> Option<Opened> {
        if is_ahead(self.downtime_ends_at, now) {
            return None;
        }
        let closed_at = self.closed_at.take()?;
        self.probe_at = None;
        self.good_until = Some(now + span(lives_for.min(PROBE_AT_LEAST_EVERY)));
        let was_certain = std::mem::take(&mut self.is_certain);
        Some(Opened { was_certain, after: (now - closed_at).to_std().unwrap_or_default() })
    }
}

/// The end of a time in which nobody was to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// It was not a mere suspicion.
    pub was_certain: bool,
    pub after: Duration,
}

impl Opened {
    /// Whether so much has piled up that not all may come at once.
    #[must_use]
    pub fn is_after_long(&self) -> bool {
        span(self.after) > LONG
    }
}

fn is_ahead(time: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    time.is_some_and(|time| time > now && time <= now + FARTHEST_AHEAD)
}

fn jittered(most: Duration, random: f64) -> TimeDelta {
    span(most.mul_f64(random.clamp(0.0, 1.0)))
}

fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(FARTHEST_AHEAD)
}

/// So many things that could not be had, one after the other, with no good answer between: then it may be all of ESI.
const FAILURES: usize = 5;
/// What is longer ago says nothing of now.
const WITHIN: Duration = Duration::from_secs(60);

/// The failures of one process since its last good answer: only different things count, so that one killmail that can
/// never be had is no outage. Times are of the process, since any moment.
#[derive(Debug)]
pub struct FailuresInARow<Thing> {
    failed: VecDeque<(Duration, Thing)>,
}

impl<Thing> Default for FailuresInARow<Thing> {
    fn default() -> Self {
        Self { failed: VecDeque::new() }
    }
}

impl<Thing: Eq> FailuresInARow<Thing> {
    /// Whether it is time to suspect ESI.
    pub fn failed(&mut self, thing: Thing, at: Duration) -> bool {
        self.failed.retain(|(then, known)| at.saturating_sub(*then) <= WITHIN && *known != thing);
        self.failed.push_back((at, thing));
        while self.failed.len() > FAILURES {
            self.failed.pop_front();
        }
        self.failed.len() == FAILURES
    }

    pub fn answered(&mut self) {
        self.failed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + seconds, 0).unwrap()
    }

    const LIVES: Duration = Duration::from_secs(31);
    const NOT_AT_ALL: Duration = Duration::ZERO;

    #[test]
    fn a_suspicion_that_status_denies_is_over_at_once_and_not_raised_again_while_that_answer_lives() {
        let mut gate = Gate::default();
        assert!(!gate.claim_probe(second(0)), "there is nothing to ask");
        assert!(gate.suspect(second(0)) && !gate.suspect(second(0)));
        assert!(gate.claim_probe(second(0)) && !gate.claim_probe(second(0)), "one process asks");
        let opened = gate.found_open(LIVES, second(1)).unwrap();
        assert_eq!(opened, Opened { was_certain: false, after: Duration::from_secs(1) });
        assert!(!opened.is_after_long());
        assert!(!gate.suspect(second(31)) && gate.suspect(second(32)));
    }

    #[test]
    fn an_outage_is_told_once_and_ends_with_the_first_good_answer() {
        let mut gate = Gate::default();
        gate.suspect(second(0));
        assert!(gate.claim_probe(second(0)));
        assert!(gate.found_closed(NOT_AT_ALL, 0.0, second(1)), "now it is certain");
        assert!(!gate.claim_probe(second(15)) && gate.claim_probe(second(16)));
        assert!(!gate.found_closed(LIVES, 1.0, second(17)), "told before");
        assert!(!gate.claim_probe(second(52)) && gate.claim_probe(second(53)), "never before the copy has expired");
        assert!(!gate.claim_probe(second(97)) && gate.claim_probe(second(98)), "whoever asked has died");
        let opened = gate.found_open(LIVES, second(99)).unwrap();
        assert!(opened.was_certain && opened.is_after_long());
        assert_eq!(gate.found_open(LIVES, second(99)), None);
        assert!(!gate.found_closed(NOT_AT_ALL, 0.0, second(100)), "a late answer closes nothing");
        assert!(!gate.is_probe_due(second(1000)));
    }

    #[test]
    fn a_downtime_is_not_over_before_its_end_whatever_status_says() {
        let mut gate = Gate::default();
        gate.suspect(second(0));
        assert!(gate.claim_probe(second(0)));
        assert!(gate.begin_downtime(second(300), 1.0, second(1)) && !gate.begin_downtime(second(300), 0.0, second(2)));
        assert_eq!(gate.found_open(LIVES, second(3)), None);
        assert!(!gate.found_closed(NOT_AT_ALL, 0.0, second(3)));
        assert!(!gate.is_probe_due(second(304)) && gate.claim_probe(second(305)));
        assert!(gate.begin_downtime(second(400), 0.0, second(306)), "a longer one of another process");
        assert!(!gate.begin_downtime(second(300), 0.0, second(307)));
        assert!(gate.claim_probe(second(400)));
        assert_eq!(gate.found_open(LIVES, second(401)).unwrap().after, Duration::from_secs(401));
        assert!(gate.begin_downtime(second(86_700), 0.0, second(86_400)), "the next day");
    }

    #[test]
    fn a_clock_that_was_wrong_holds_up_nobody() {
        let days = 86_400 * 3;
        let mut gate = Gate { good_until: Some(second(days)), ..Gate::default() };
        assert!(gate.suspect(second(0)));
        gate.probe_at = Some(second(days));
        assert!(gate.claim_probe(second(0)));
        gate.downtime_ends_at = Some(second(days));
        assert!(gate.begin_downtime(second(300), 0.0, second(0)));
        gate.downtime_ends_at = Some(second(days));
        assert!(gate.found_open(LIVES, second(301)).is_some());
    }

    #[test]
    fn only_different_things_within_a_minute_and_without_a_good_answer_between_are_counted() {
        let seconds = Duration::from_secs;
        let mut row = FailuresInARow::default();
        assert!((0..100).all(|time| !row.failed("one killmail", seconds(time))));
        let mut row = FailuresInARow::default();
        let after: Vec<bool> = (0..6).map(|thing| row.failed(thing, seconds(thing))).collect();
        assert_eq!(after, [false, false, false, false, true, true]);
        row.answered();
        assert!((0..4).all(|thing| !row.failed(thing, seconds(10))));
        assert!(!row.failed(9, seconds(71)), "those before are too long ago");
    }
}
