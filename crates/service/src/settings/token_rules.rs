//! How tokens are handled: when one is too old to be sent out, and how many may be renewed at a time.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use domain::token::DEFAULT_BUFFER;

use super::raw::optional;
use super::{SettingError, names, parse_duration};

/// An access token lives 20 minutes. With a buffer near that, no token would ever be fit for use and every job would
/// begin with a refresh.
const BUFFER_MAX: Duration = Duration::from_secs(15 * 60);
const DEFAULT_SSO_CONCURRENCY: u32 = 4;
/// EVE SSO publishes no limit; this is ours, so that a typing error does not become a flood.
const SSO_CONCURRENCY_MAX: u32 = 20;

/// The flags and variables for the handling of tokens.
#[derive(Args, Clone)]
#[command(next_help_heading = "Token rules")]
pub struct TokenRulesArgs {
    /// An access token with this much left, or less, is refreshed before it is used [default: 5m]
    #[arg(long, env = names::TOKEN_BUFFER, value_name = "DURATION")]
    token_buffer: Option<OsString>,
    /// Token requests in flight in the whole fleet, 1 to 20 [default: 4]
    #[arg(long, env = names::SSO_CONCURRENCY, value_name = "NUMBER")]
    sso_concurrency: Option<OsString>,
}

/// The rules in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRules {
    /// An access token must have more than this left to be used.
    pub buffer: Duration,
    /// At most this many token requests are in flight in the whole fleet.
    pub sso_concurrency: u32,
}

impl TokenRulesArgs {
    /// # Errors
    /// A value is malformed or out of its range.
    pub fn resolve(&self) -> Result<TokenRules, SettingError> {
        Ok(TokenRules { buffer: self.buffer()?, sso_concurrency: self.sso_concurrency()? })
    }

    fn buffer(&self) -> Result<Duration, SettingError> {
        let Some(text) = optional(names::TOKEN_BUFFER, &self.token_buffer)? else { return Ok(DEFAULT_BUFFER) };
        let refused =
            |remedy: String| SettingError::malformed(names::TOKEN_BUFFER, format!("cannot be {text:?}"), remedy);
        let buffer = parse_duration(text).map_err(|error| refused(error.to_string()))?;
        if buffer > BUFFER_MAX {
            return Err(refused("access tokens live 20 minutes, give 15m at the most".to_owned()));
        }
        Ok(buffer)
    }

    fn sso_concurrency(&self) -> Result<u32, SettingError> {
        let Some(text) = optional(names::SSO_CONCURRENCY, &self.sso_concurrency)? else {
            return Ok(DEFAULT_SSO_CONCURRENCY);
        };
        match text.parse() {
            Ok(number) if (1..=SSO_CONCURRENCY_MAX).contains(&number) => Ok(number),
            _ => Err(SettingError::malformed(
                names::SSO_CONCURRENCY,
                format!("cannot be {text:?}"),
                format!("give a whole number from 1 to {SSO_CONCURRENCY_MAX}"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{described, parse};
    use super::*;

    fn resolve(flags: &[&str]) -> Result<TokenRules, String> {
        parse::<TokenRulesArgs>(flags).resolve().map_err(|error| error.to_string())
    }

    #[test]
    fn both_have_defaults_and_bounds() {
        let rules = |buffer, sso_concurrency| Ok(TokenRules { buffer: Duration::from_secs(buffer), sso_concurrency });
        assert_eq!(resolve(&[]), rules(300, 4));
        assert_eq!(resolve(&["--token-buffer", "", "--sso-concurrency", ""]), rules(300, 4));
        assert_eq!(resolve(&["--token-buffer", "15m", "--sso-concurrency", "20"]), rules(900, 20));
        assert_eq!(resolve(&["--token-buffer", "0s", "--sso-concurrency", "1"]), rules(0, 1));
    }

    #[test]
    fn what_is_malformed_is_named() {
        for buffer in ["5", "five", "5m\n"] {
            let error = resolve(&["--token-buffer", buffer]).unwrap_err();
            let expected = format!(
                "KILLFLEET_TOKEN_BUFFER cannot be {buffer:?}: \
                 give whole numbers with a unit, such as 90s, 5m, 1h30m or 500ms"
            );
            assert_eq!(error, expected);
        }
        let error = resolve(&["--token-buffer", "15m1s"]).unwrap_err();
        assert!(error.ends_with("access tokens live 20 minutes, give 15m at the most"), "{error}");
        for number in ["0", "21", "-1", "four", "4.0", "99999999999"] {
            let error = resolve(&[&format!("--sso-concurrency={number}")]).unwrap_err();
            let expected = format!("KILLFLEET_SSO_CONCURRENCY cannot be {number:?}: give a whole number from 1 to 20");
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn every_flag_has_its_variable() {
        let variables: Vec<_> = described::<TokenRulesArgs>().into_iter().map(|(_, variable, _)| variable).collect();
        assert_eq!(variables, ["KILLFLEET_TOKEN_BUFFER", "KILLFLEET_SSO_CONCURRENCY"]);
    }
}
