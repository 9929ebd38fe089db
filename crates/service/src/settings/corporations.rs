//! Which corporations' killmail lists are read.

use std::ffi::OsString;

use clap::Args;

use super::raw::optional;
use super::{SettingError, names};

/// The flag and the variable for corporations.
#[derive(Args, Clone)]
pub struct CorporationsArgs {
    /// Whose corporation lists are read: those that were added with `killfleet corporation add`, or all of which somebody has
    /// signed in with the scope for it [default: added] [possible values: added, all]
    #[arg(long, env = names::CORPORATIONS, value_name = "WHICH")]
    corporations: Option<OsString>,
}

impl CorporationsArgs {
    /// Whether it is all of them.
    ///
    /// # Errors
    /// It is neither of the two words.
    pub fn are_all(&self) -> Result<bool, SettingError> {
        match optional(names::CORPORATIONS, &self.corporations)? {
            None | Some("added") => Ok(false),
            Some("all") => Ok(true),
            Some(text) => {
                let remedy = "say added or all".to_owned();
                Err(SettingError::malformed(names::CORPORATIONS, format!("cannot be {text:?}"), remedy))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::parse;
    use super::*;

    #[test]
    fn two_words_are_known() {
        let are_all = |flags: &[&str]| parse::<CorporationsArgs>(flags).are_all().map_err(|error| error.to_string());
        assert_eq!(are_all(&[]), Ok(false));
        assert_eq!(are_all(&["--corporations", "added"]), Ok(false));
        assert_eq!(are_all(&["--corporations", "all"]), Ok(true));
        let error = are_all(&["--corporations", "98000001"]).unwrap_err();
        assert_eq!(error, "KILLFLEET_CORPORATIONS cannot be \"98000001\": say added or all");
    }
}
