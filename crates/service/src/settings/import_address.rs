//! The database that logins are taken over from. Flags only: what is done once is nothing for an environment.

use std::ffi::OsString;

use clap::Args;
use secrecy::SecretString;

use super::SettingError;
use super::database::{DatabaseAddress, POSTGRES_REMEDY, address};
use super::raw::SecretSetting;

const FROM: SecretSetting = SecretSetting { variable: "--from", file_variable: "--from-file", remedy: POSTGRES_REMEDY };

/// The flags for the other program's database.
#[derive(Args, Clone)]
pub struct ImportAddressArgs {
    /// Address of the other program's database, postgres://user:password@host:5432/database (required)
    #[arg(long, value_name = "URL")]
    from: Option<OsString>,
    /// A file that holds the address of the other program's database
    #[arg(long, value_name = "PATH")]
    from_file: Option<OsString>,
}

impl ImportAddressArgs {
    /// A `postgres://` or `postgresql://` URL, which may hold a password.
    ///
    /// # Errors
    /// It is missing, unreadable or another kind of address.
    pub fn resolve(&self) -> Result<SecretString, SettingError> {
        match address(FROM.variable, FROM.read(&self.from, &self.from_file)?)? {
            DatabaseAddress::Postgres(url) => Ok(url),
            DatabaseAddress::Sqlite(_) => Err(SettingError::malformed(FROM.variable, "names a file", FROM.remedy)),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::testing::{TemporaryFile, parse};
    use super::*;

    fn from(flags: &[&str]) -> Result<String, String> {
        let resolved = parse::<ImportAddressArgs>(flags).resolve();
        resolved.map(|url| url.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_is_imported_from_and_its_address_may_stand_in_a_file() {
        const URL: &str = "postgres://killreport:hush@db:5432/killreport";
        let file = TemporaryFile::with(&format!("{URL}\n"));
        assert_eq!(from(&["--from", URL]).as_deref(), Ok(URL));
        assert_eq!(from(&["--from-file", file.path()]).as_deref(), Ok(URL));
        for (flags, problem) in [
            (&[][..], "--from is not set: give it as postgres://"),
            (&["--from", URL, "--from-file", file.path()], "--from and --from-file are both set: keep one of them"),
            (&["--from", "sqlite:killreport.db"], "--from names a file: give it as postgres://"),
            (&["--from", "killreport:hush@db"], "--from is not a postgres:// URL: give it as"),
        ] {
            let error = from(flags).unwrap_err();
            assert!(error.starts_with(problem) && !error.contains("hush"), "{error}");
        }
    }
}
