//! The key that seals tokens at rest. Here it is only found; the store knows its form.

use std::ffi::OsString;

use clap::Args;
use secrecy::SecretString;

use super::raw::SecretSetting;
use super::{SettingError, names};

const SETTING: SecretSetting = SecretSetting {
    variable: names::TOKEN_KEY,
    file_variable: names::TOKEN_KEY_FILE,
    remedy: "give it as id:base64(32 bytes), for example 2026:KEY with the KEY made by: openssl rand -base64 32",
};

/// The flag and variable for the key.
#[derive(Args, Clone)]
#[command(next_help_heading = "Tokens at rest")]
pub struct TokenKeyArgs {
    /// Keys that seal tokens in the database, id:base64(32 bytes), several separated by commas (required)
    #[arg(long, env = names::TOKEN_KEY, hide_env_values = true, value_name = "KEYS")]
    token_key: Option<OsString>,
    /// A file that holds the keys
    #[arg(long, env = names::TOKEN_KEY_FILE, value_name = "PATH")]
    token_key_file: Option<OsString>,
}

impl TokenKeyArgs {
    /// The raw text. Whoever parses it says what is wrong with it by [`malformed`](Self::malformed).
    ///
    /// # Errors
    /// It is missing or unreadable.
    pub fn resolve(&self) -> Result<SecretString, SettingError> {
        SETTING.read(&self.token_key, &self.token_key_file)
    }

    /// The error for a text that the store could not parse. `problem` continues the name of the variable and must not
    /// hold any part of the key.
    #[must_use]
    pub fn malformed(problem: impl Into<String>) -> SettingError {
        SettingError::malformed(SETTING.variable, problem, SETTING.remedy)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::testing::{TemporaryFile, described, parse};
    use super::*;

    fn resolve(flags: &[&str]) -> Result<String, String> {
        let resolved = parse::<TokenKeyArgs>(flags).resolve();
        resolved.map(|key| key.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn no_key_no_start() {
        let error = resolve(&[]).unwrap_err();
        assert!(error.starts_with("KILLFLEET_TOKEN_KEY is not set: give it as id:base64(32 bytes), for example"));
        assert!(error.ends_with("openssl rand -base64 32"));
        let error = TokenKeyArgs::malformed("has a key of 31 bytes").to_string();
        assert!(error.starts_with("KILLFLEET_TOKEN_KEY has a key of 31 bytes: give it as"), "{error}");
    }

    #[test]
    fn it_comes_from_a_flag_or_a_file_but_not_from_both() {
        let file = TemporaryFile::with("k2:BBBB,k1:AAAA\n");
        assert_eq!(resolve(&["--token-key", "k1:AAAA"]).as_deref(), Ok("k1:AAAA"));
        assert_eq!(resolve(&["--token-key-file", file.path()]).as_deref(), Ok("k2:BBBB,k1:AAAA"));
        let both = resolve(&["--token-key", "k1:AAAA", "--token-key-file", file.path()]).unwrap_err();
        assert_eq!(both, "KILLFLEET_TOKEN_KEY and KILLFLEET_TOKEN_KEY_FILE are both set: keep one of them");
    }

    #[test]
    fn help_hides_the_key() {
        assert_eq!(
            described::<TokenKeyArgs>(),
            [
                ("--token-key".to_owned(), "KILLFLEET_TOKEN_KEY".to_owned(), true),
                ("--token-key-file".to_owned(), "KILLFLEET_TOKEN_KEY_FILE".to_owned(), false),
            ]
        );
    }
}
