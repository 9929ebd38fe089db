//! From where to where a database is moved. Flags only: what moves once is nothing for an environment.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

use super::SettingError;
use super::database::{DatabaseAddress, POSTGRES_REMEDY, address};
use super::raw::SecretSetting;

const FROM: &str = "--from";
const FROM_REMEDY: &str = "give the file of `killfleet standalone` as sqlite:PATH";
const TO: SecretSetting = SecretSetting { variable: "--to", file_variable: "--to-file", remedy: POSTGRES_REMEDY };

/// The flags for the two databases of a move.
#[derive(Args, Clone)]
pub struct MoveAddressArgs {
    /// The file of `killfleet standalone`, sqlite:PATH (required)
    #[arg(long, value_name = "URL")]
    from: Option<OsString>,
    /// Address of the fleet's PostgreSQL database, postgres://user:password@host:5432/database (required)
    #[arg(long, value_name = "URL")]
    to: Option<OsString>,
    /// A file that holds the address of the fleet's database
    #[arg(long, value_name = "PATH")]
    to_file: Option<OsString>,
}

impl MoveAddressArgs {
    /// The file to move from.
    ///
    /// # Errors
    /// It is missing, another kind of address, or does not exist.
    pub fn resolve_from(&self) -> Result<PathBuf, SettingError> {
        let from = self.from.as_ref().filter(|from| !from.is_empty());
        let from = from.ok_or_else(|| SettingError::not_set(FROM, FROM_REMEDY))?;
        let refused = |problem: String| SettingError::malformed(FROM, problem, FROM_REMEDY);
        let text = from.to_str().ok_or_else(|| refused("is not valid UTF-8".to_owned()))?;
        match address(FROM, SecretString::from(text)) {
            Ok(DatabaseAddress::Sqlite(path)) if path.exists() => Ok(path),
            Ok(DatabaseAddress::Sqlite(path)) => {
                Err(refused(format!("names {}, which does not exist", path.display())))
            }
            Err(error) if text.starts_with("sqlite:") => Err(error),
            // Whatever it is, it may hold a password.
            Ok(DatabaseAddress::Postgres(_)) | Err(_) => Err(refused("is not a sqlite: URL".to_owned())),
        }
    }

    /// The database to move to, a `postgres://` or `postgresql://` URL, which may hold a password.
    ///
    /// # Errors
    /// It is missing, unreadable or another kind of address.
    pub fn resolve_to(&self) -> Result<SecretString, SettingError> {
        match address(TO.variable, TO.read(&self.to, &self.to_file)?)? {
            DatabaseAddress::Postgres(url) => Ok(url),
            DatabaseAddress::Sqlite(_) => Err(SettingError::malformed(TO.variable, "names a file", TO.remedy)),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::testing::{TemporaryFile, parse};
    use super::*;

    fn from(flags: &[&str]) -> Result<PathBuf, String> {
        parse::<MoveAddressArgs>(flags).resolve_from().map_err(|error| error.to_string())
    }

    fn to(flags: &[&str]) -> Result<String, String> {
        let resolved = parse::<MoveAddressArgs>(flags).resolve_to();
        resolved.map(|url| url.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_that_is_there_is_moved_from() {
        let file = TemporaryFile::with("");
        assert_eq!(from(&["--from", &format!("sqlite:{}", file.path())]), Ok(PathBuf::from(file.path())));
        for (flags, problem) in [
            (&["--from", ""][..], "--from is not set: give the file of `killfleet standalone`"),
            (&[], "--from is not set: give the file of `killfleet standalone`"),
            (&["--from", "sqlite:/no/such/file.db"], "--from names /no/such/file.db, which does not exist: give"),
            (&["--from", "sqlite:"], "--from names no file: give sqlite: and the path"),
            (&["--from", "postgres://fleet:hush@db/fleet"], "--from is not a sqlite: URL: give the file"),
            (&["--from", "/var/lib/killfleet.db"], "--from is not a sqlite: URL: give the file"),
        ] {
            let error = from(flags).unwrap_err();
            assert!(error.starts_with(problem) && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_server_is_moved_to_and_its_address_may_stand_in_a_file() {
        const URL: &str = "postgres://fleet:hush@db:5432/fleet";
        let file = TemporaryFile::with(&format!("{URL}\n"));
        assert_eq!(to(&["--to", URL]).as_deref(), Ok(URL));
        assert_eq!(to(&["--to-file", file.path()]).as_deref(), Ok(URL));
        for (flags, problem) in [
            (&[][..], "--to is not set: give it as postgres://"),
            (&["--to", URL, "--to-file", file.path()], "--to and --to-file are both set: keep one of them"),
            (&["--to", "sqlite:fleet.db"], "--to names a file: give it as postgres://"),
            (&["--to", "fleet:hush@db"], "--to is not a postgres:// URL: give it as"),
            (&["--to-file", "/no/such/file"], "--to-file names \"/no/such/file\", which cannot be read"),
        ] {
            let error = to(flags).unwrap_err();
            assert!(error.starts_with(problem) && !error.contains("hush"), "{error}");
        }
    }
}
