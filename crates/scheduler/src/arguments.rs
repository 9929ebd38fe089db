//! The flags that say what a tick looks at, shared by every command that ticks.

use std::time::Duration;

use clap::Args;
use domain::CharacterId;
use service::classed;
use service::settings::parse_duration;
use store::Store;
use store::due::DueFilter;

#[derive(Args, Clone, Copy)]
pub struct DueArgs {
    /// Also characters whose turn has not come by their tier. ESI's Expires is kept all the same.
    #[arg(long)]
    force: bool,
    /// Walk all pages of the lists, not only what is new.
    #[arg(long)]
    full: bool,
    /// Only this character.
    #[arg(long, value_name = "ID", value_parser = character_id)]
    character: Option<CharacterId>,
}

impl DueArgs {
    /// # Errors
    /// There is no such character, or the database does not answer.
    pub async fn filter(self, store: &Store) -> anyhow::Result<DueFilter> {
        if let Some(character_id) = self.character
            && !store.has_character(character_id).await.map_err(|error| classed(error.failure()))?
        {
            anyhow::bail!("there is no character {character_id}: `killfleet character list` shows who is there");
        }
        Ok(DueFilter { force: self.force, full: self.full, character_id: self.character })
    }
}

fn character_id(text: &str) -> Result<CharacterId, String> {
    let id: i64 = text.parse().map_err(|_| "a character id is a number".to_owned())?;
    CharacterId::parse(id).map_err(|error| error.to_string())
}

/// The time between two ticks, as clap reads it.
///
/// # Errors
/// It is no length of time, or less than a second.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    let every = parse_duration(text).map_err(|error| error.to_string())?;
    if every < Duration::from_secs(1) { Err("the shortest interval is 1s".to_owned()) } else { Ok(every) }
}

/// The interval up to a twentieth longer or shorter, so that several schedulers, and the requests that follow, do not
/// come in waves.
#[must_use]
pub fn spread(every: Duration) -> Duration {
    every.mul_f64(1.0 + 0.1 * (rand::random::<f64>() - 0.5))
}
