//! What a person sees of a fleet in one process: a few numbers from the rows, and what the lanes are doing.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use store::pause::Pause;
use store::status::FleetStatus;
use store::{Store, StoreError};
use tokio::time::Instant;

use super::lanes::AtWork;

/// The rows at one moment, and the lanes at a later one.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) status: FleetStatus,
    pauses: Vec<Pause>,
    rows_read_at: Instant,
    pub(crate) at_work: AtWork,
}

impl Picture {
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn take(store: &Store, at_work: AtWork) -> Result<Self, StoreError> {
        let (status, pauses) = (store.status().await?, store.pauses().await?);
        Ok(Self { status, pauses, rows_read_at: Instant::now(), at_work })
    }

    /// The pause in force that lasts longest, and for how long from now.
    fn longest_pause(&self) -> Option<(&Pause, Duration)> {
        let since = self.rows_read_at.elapsed();
        let left = |pause: &Pause| pause.remaining.saturating_sub(since);
        let in_force = self.pauses.iter().map(|pause| (pause, left(pause))).filter(|(_, left)| !left.is_zero());
        in_force.max_by_key(|(_, left)| *left)
    }

    /// What is worth another line when it has changed. Time alone changes nothing here.
    pub(super) fn substance(&self) -> impl PartialEq + use<> {
        let FleetStatus { characters, characters_needing_login, .. } = self.status;
        let FleetStatus { killmails_stored, killmails_wanted, killmails_invalid, killmails_parked, .. } = self.status;
        let killmails = [killmails_stored, killmails_wanted, killmails_invalid, killmails_parked];
        let pause = self.longest_pause().map(|(pause, _)| pause.scope.clone());
        (characters, characters_needing_login, killmails, self.at_work.jobs_parked, pause)
    }

    /// One line for programs. It has the one key `progress`, which the line of a tick does not have.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let pause = |(pause, left): (&Pause, Duration)| PauseLine {
            scope: pause.scope.clone(),
            reason: pause.reason.clone(),
            seconds: left.as_secs(),
        };
        serde_json::to_string(&Line {
            progress: Progress {
                characters: self.status.characters,
                characters_needing_login: self.status.characters_needing_login,
                killmails_stored: self.status.killmails_stored,
                killmails_wanted: self.status.killmails_wanted,
                killmails_invalid: self.status.killmails_invalid,
                killmails_parked: self.status.killmails_parked,
                jobs_waiting: self.at_work.jobs_waiting,
                jobs_running: self.at_work.jobs_running,
                jobs_parked: self.at_work.jobs_parked,
                longest_pause: self.longest_pause().map(pause),
                next_tick_seconds: self.at_work.next_tick.map(|left| left.as_secs()),
            },
        })
    }
}

#[derive(Serialize)]
struct Line {
    progress: Progress,
}

#[derive(Serialize)]
struct Progress {
    characters: i64,
    characters_needing_login: i64,
    killmails_stored: i64,
    killmails_wanted: i64,
    killmails_invalid: i64,
    killmails_parked: i64,
    jobs_waiting: usize,
    jobs_running: usize,
    jobs_parked: u64,
    longest_pause: Option<PauseLine>,
    next_tick_seconds: Option<u64>,
}

#[derive(Serialize)]
struct PauseLine {
    scope: String,
    reason: String,
    seconds: u64,
}

/// `20 characters (1 needs a login), 1200 killmails stored, 56 wanted | 3 jobs at work, 12 waiting`; when nothing is at
/// work, when that may change: `… | next look in 7 s`.
impl fmt::Display for Picture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, at_work) = (&self.status, &self.at_work);
        if at_work.is_stopping && at_work.jobs_running > 0 {
            formatter.write_str("stopping, a second signal cuts | ")?;
        }
        if status.characters == 0 {
            formatter.write_str("no characters yet: `killfleet character add` brings them")?;
        } else {
            write!(formatter, "{}", counted(status.characters, "character"))?;
        }
        match status.characters_needing_login {
            0 => {}
            1 => formatter.write_str(" (1 needs a login)")?,
            several => write!(formatter, " ({several} need a login)")?,
        }
        let stored = counted(status.killmails_stored, "killmail");
        write!(formatter, ", {stored} stored, {} wanted", status.killmails_wanted)?;
        if status.killmails_parked > 0 {
            write!(formatter, ", {} parked", status.killmails_parked)?;
        }
        let is_at_work = at_work.jobs_running + at_work.jobs_waiting > 0;
        if is_at_work {
            let running = counted(at_work.jobs_running, "job");
            write!(formatter, " | {running} at work, {} waiting", at_work.jobs_waiting)?;
        }
        if at_work.jobs_parked > 0 {
            write!(formatter, " | {} parked", counted(at_work.jobs_parked, "job"))?;
        }
        if let Some((pause, left)) = self.longest_pause() {
            write!(formatter, " | {} pauses for {} s: {}", pause.scope, left.as_secs() + 1, pause.reason)?;
        }
        match at_work.next_tick {
            Some(left) if !is_at_work => write!(formatter, " | next look in {} s", left.as_secs() + 1),
            _ => Ok(()),
        }
    }
}

fn counted(count: impl fmt::Display, what: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::*;

    fn picture() -> Picture {
        let status = FleetStatus {
            characters: 20,
            characters_needing_login: 0,
            characters_overdue_by_an_hour: 0,
            streams_active: 20,
            streams_suspect: 0,
            streams_dead: 0,
            streams_quarantined: 0,
            killmails_stored: 1200,
            killmails_wanted: 56,
            killmails_invalid: 0,
            killmails_parked: 0,
            participants: 4000,
            references_listed: 1300,
            pauses_in_force: 0,
            corporations: 0,
            corporations_not_read_for_days: 0,
        };
        let at_work = AtWork { next_tick: Some(Duration::from_millis(6_300)), ..AtWork::default() };
        Picture { status, pauses: vec![], rows_read_at: Instant::now(), at_work }
    }

    fn pause(scope: &str, seconds: u64) -> Pause {
        let until = DateTime::UNIX_EPOCH;
        Pause {
            scope: scope.to_owned(),
            reason: "error limit (420)".to_owned(),
            until,
            remaining: Duration::from_secs(seconds),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_line_for_people() {
        let mut picture = picture();
        assert_eq!(picture.to_string(), "20 characters, 1200 killmails stored, 56 wanted | next look in 7 s");
        picture.status.characters_needing_login = 1;
        picture.status.killmails_stored = 1;
        picture.at_work = AtWork { jobs_waiting: 12, jobs_running: 1, jobs_parked: 2, ..AtWork::default() };
        picture.pauses = vec![pause("esi", 40), pause("sso", 10)];
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(
            picture.to_string(),
            "20 characters (1 needs a login), 1 killmail stored, 56 wanted | 1 job at work, 12 waiting | \
             2 jobs parked | esi pauses for 40 s: error limit (420)"
        );
        tokio::time::advance(Duration::from_secs(40)).await;
        picture.status.characters = 0;
        picture.status.characters_needing_login = 0;
        picture.at_work = AtWork { jobs_running: 1, is_stopping: true, ..AtWork::default() };
        assert_eq!(
            picture.to_string(),
            "stopping, a second signal cuts | no characters yet: `killfleet character add` brings them, \
             1 killmail stored, 56 wanted | 1 job at work, 0 waiting"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_line_for_programs() {
        let mut picture = picture();
        picture.pauses = vec![pause("esi", 40)];
        let line: Value = serde_json::from_str(&picture.json().unwrap()).unwrap();
        let expected = json!({"progress": {
            "characters": 20, "characters_needing_login": 0,
            "killmails_stored": 1200, "killmails_wanted": 56, "killmails_invalid": 0, "killmails_parked": 0,
            "jobs_waiting": 0, "jobs_running": 0, "jobs_parked": 0,
            "longest_pause": {"scope": "esi", "reason": "error limit (420)", "seconds": 40},
            "next_tick_seconds": 6,
        }});
        assert_eq!(line, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn time_alone_changes_nothing_of_substance() {
        let (before, mut after) = (picture(), picture());
        after.at_work.next_tick = None;
        after.at_work.jobs_running = 3;
        assert!(before.substance() == after.substance());
        after.status.killmails_stored += 1;
        assert!(before.substance() != after.substance());
    }
}
