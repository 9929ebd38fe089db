//! What `dev/faults` hands over.

use std::time::Duration;

pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// Of the long form. Without it, each fault comes once.
    pub(crate) lasts: Option<Duration>,
    /// Only faults whose names hold this text.
    pub(crate) only: String,
}

impl Settings {
    pub(crate) fn read() -> Self {
        let number = |name: &str| -> Option<u64> {
            let text = text(name)?;
            Some(text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
        };
        Self {
            seed: number("KILLFLEET_FAULTS_SEED").expect("dev/faults runs this, on servers of its own"),
            lasts: number("KILLFLEET_FAULTS_MINUTES").map(|minutes| Duration::from_secs(60 * minutes)),
            only: text("KILLFLEET_FAULTS_ONLY").unwrap_or_default(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the suite's own settings, which no process of the fleet reads")]
fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
