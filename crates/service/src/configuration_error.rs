//! A mistake of configuration that no single setting is to blame for.
//!
//! A setting that is missing or malformed is a [`SettingError`](crate::settings::SettingError); [`run`](crate::run)
//! treats both alike: one line, exit code 2.

use domain::{Failure, FailureClass};
use thiserror::Error;

use crate::settings::one_line;

/// What the operator has to mend before the process can start, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ConfigurationError(String);

impl ConfigurationError {
    /// The message says what is wrong and how to mend it, and never holds a secret. Line ends become spaces.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(one_line(message.into()))
    }
}

/// An adapter's failure as its class asks: a mistake of configuration is one line and exit code 2, anything else exit
/// code 1.
#[must_use]
pub fn classed(failure: Failure) -> anyhow::Error {
    match failure.class {
        FailureClass::Configuration => ConfigurationError::new(failure.reason).into(),
        _ => anyhow::Error::msg(failure.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_line_whatever_it_is_made_of() {
        let error = ConfigurationError::new("the database is older\nthan this program:\r\n run `killfleet migrate`");
        assert_eq!(error.to_string(), "the database is older than this program: run `killfleet migrate`");
    }
}
