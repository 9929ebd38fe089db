//! Where the database is.

use std::ffi::OsString;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::raw::SecretSetting;
use super::{SettingError, names};

const SETTING: SecretSetting = SecretSetting {
    variable: names::DATABASE_URL,
    file_variable: names::DATABASE_URL_FILE,
    remedy: "give it as postgres://user:password@host:5432/database",
};

/// The flag and variable for the database.
#[derive(Args, Clone)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// Address of the PostgreSQL database, postgres://user:password@host:5432/database (required)
    #[arg(long, env = names::DATABASE_URL, hide_env_values = true, value_name = "URL")]
    database_url: Option<OsString>,
    /// A file that holds the address of the database
    #[arg(long, env = names::DATABASE_URL_FILE, value_name = "PATH")]
    database_url_file: Option<OsString>,
}

impl DatabaseArgs {
    /// The address, which may hold a password: a `postgres://` or `postgresql://` URL.
    ///
    /// # Errors
    /// It is missing, unreadable or another kind of address.
    pub fn resolve(&self) -> Result<SecretString, SettingError> {
        let url = SETTING.read(&self.database_url, &self.database_url_file)?;
        let is_ours = Url::parse(url.expose_secret())
            .is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql") && url.has_authority());
        if is_ours {
            return Ok(url);
        }
        Err(SettingError::malformed(
            SETTING.variable,
            "is not a postgres:// URL",
            format!("{}, with %-escapes for special characters in the password", SETTING.remedy),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{TemporaryFile, described, parse};
    use super::*;

    fn resolve(flags: &[&str]) -> Result<String, String> {
        let resolved = parse::<DatabaseArgs>(flags).resolve();
        resolved.map(|url| url.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn postgres_addresses_pass_unchanged() {
        for url in [
            "postgres://killfleet:p%40ss@db:5432/killfleet",
            "postgresql://localhost/killfleet?sslmode=require",
            "postgres:///killfleet?host=/var/run/postgresql",
        ] {
            assert_eq!(resolve(&["--database-url", url]).as_deref(), Ok(url));
        }
    }

    #[test]
    fn it_may_come_from_a_file() {
        let file = TemporaryFile::with("postgres://a:b@c/d\n");
        assert_eq!(resolve(&["--database-url-file", file.path()]).as_deref(), Ok("postgres://a:b@c/d"));
        let both = resolve(&["--database-url", "postgres://a/b", "--database-url-file", file.path()]);
        assert!(both.unwrap_err().starts_with("KILLFLEET_DATABASE_URL and KILLFLEET_DATABASE_URL_FILE are both set"));
    }

    #[test]
    fn missing_and_malformed_are_named_without_the_value() {
        assert_eq!(
            resolve(&[]).unwrap_err(),
            "KILLFLEET_DATABASE_URL is not set: give it as postgres://user:password@host:5432/database"
        );
        for url in ["hush", "mysql://u:hush@h/d", "postgres:hush", "postgres://u:hu/sh@h:x/d", "host=h password=hush"] {
            let error = resolve(&["--database-url", url]).unwrap_err();
            assert!(error.starts_with("KILLFLEET_DATABASE_URL is not a postgres:// URL: "), "{url}: {error}");
            assert!(!error.contains("hu"), "{error}");
        }
    }

    #[test]
    fn the_variable_is_the_flag_and_help_hides_the_value() {
        assert_eq!(
            described::<DatabaseArgs>(),
            [
                ("--database-url".to_owned(), "KILLFLEET_DATABASE_URL".to_owned(), true),
                ("--database-url-file".to_owned(), "KILLFLEET_DATABASE_URL_FILE".to_owned(), false),
            ]
        );
    }
}
