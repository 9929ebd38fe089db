//! How soon killmail lists are looked at again.

use std::ffi::OsString;

use clap::Args;
use domain::tier::Tiers;

use super::raw::optional;
use super::{SettingError, names, parse_duration};

/// The flag and the variable for the tiers.
#[derive(Args, Clone)]
pub struct TiersArgs {
    /// How soon a list is looked at again: first for pilots who were just in a fight, then for those whose last killmail is
    /// older than so long [default: 5m,7d:1h,30d:4h,90d:24h,365d:72h]
    #[arg(long, env = names::TIERS, value_name = "LIST")]
    tiers: Option<OsString>,
}

impl TiersArgs {
    /// # Errors
    /// It is not a list of this form, not in order, or has an interval that is out of range.
    pub fn resolve(&self) -> Result<Tiers, SettingError> {
        let Some(text) = optional(names::TIERS, &self.tiers)? else { return Ok(Tiers::default()) };
        let refused = |remedy: String| SettingError::malformed(names::TIERS, format!("cannot be {text:?}"), remedy);
        let duration = |text: &str| parse_duration(text.trim()).map_err(|error| refused(error.to_string()));
        let mut steps = text.split(',');
        let busy = duration(steps.next().unwrap_or_default())?;
        let older = steps.map(|step| {
            let (age, interval) = step.split_once(':').ok_or_else(|| {
                refused("give an interval and then steps of age:interval, such as 5m,7d:1h,30d:4h".to_owned())
            })?;
            Ok((duration(age)?, duration(interval)?))
        });
        Tiers::of(busy, older.collect::<Result<_, _>>()?).map_err(|error| refused(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::parse;
    use super::*;

    fn resolve(flags: &[&str]) -> Result<Tiers, String> {
        parse::<TiersArgs>(flags).resolve().map_err(|error| error.to_string())
    }

    #[test]
    fn the_default_is_what_help_says() {
        let told = resolve(&["--tiers", "5m,7d:1h,30d:4h,90d:24h,365d:72h"]).unwrap();
        assert_eq!((told, resolve(&[]).unwrap()), (Tiers::default(), Tiers::default()));
        let own = resolve(&["--tiers", "10m, 1d:2h"]).unwrap();
        assert_eq!(own.poll_interval(Some(Duration::from_secs(90_000)), 0.5), Duration::from_secs(7200));
    }

    #[test]
    fn what_is_malformed_is_named() {
        for (text, remedy) in [
            ("five", "give whole numbers with a unit"),
            ("5m,7d", "give an interval and then steps of age:interval"),
            ("5m,7d:1h,7d:2h", "each step must be for older killmails"),
            ("5m,7d:1s", "a list cannot be looked at more often than every minute"),
            (
                "5m,7d:96h",
                "a list cannot be looked at more often than every minute, or more rarely than every 72 hours",
            ),
        ] {
            let error = resolve(&["--tiers", text]).unwrap_err();
            assert!(error.starts_with(&format!("KILLFLEET_TIERS cannot be {text:?}: {remedy}")), "{error}");
        }
    }
}
