//! Where the database is: a PostgreSQL server for a fleet, or a file for one process.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use etcetera::BaseStrategy;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::raw::SecretSetting;
use super::{SettingError, names};

const SETTING: SecretSetting =
    SecretSetting { variable: names::DATABASE_URL, file_variable: names::DATABASE_URL_FILE, remedy: POSTGRES_REMEDY };
pub(super) const POSTGRES_REMEDY: &str = "give it as postgres://user:password@host:5432/database";
/// In the folder where this user's programs keep their data.
const DEFAULT_FILE: &str = "killfleet/killfleet.db";

/// The flag and variable for the database.
#[derive(Args, Clone)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// Address of the database, postgres://user:password@host:5432/database (required by scheduler and workers); the
    /// command killfleet also takes sqlite:PATH [its default: the file killfleet/killfleet.db in the XDG data folder]
    #[arg(long, env = names::DATABASE_URL, hide_env_values = true, value_name = "URL")]
    database_url: Option<OsString>,
    /// A file that holds the address of the database
    #[arg(long, env = names::DATABASE_URL_FILE, value_name = "PATH")]
    database_url_file: Option<OsString>,
}

/// A database of one of the two kinds.
#[derive(Debug, Clone)]
pub enum DatabaseAddress {
    /// A `postgres://` or `postgresql://` URL, which may hold a password.
    Postgres(SecretString),
    /// The embedded database: a file, which may not be there yet.
    Sqlite(PathBuf),
}

impl DatabaseAddress {
    /// In the form that the store connects with.
    #[must_use]
    pub fn url(&self) -> SecretString {
        match self {
            Self::Postgres(url) => url.clone(),
            Self::Sqlite(path) => SecretString::from(format!("{SQLITE}{}", path.display())),
        }
    }
}

const SQLITE: &str = "sqlite:";

impl DatabaseArgs {
    /// The address; without one, the file in this user's data folder. Nobody has looked whether it is there.
    ///
    /// # Errors
    /// It is unreadable or another kind of address, or it is not set and this user has no folder for data.
    pub fn resolve(&self) -> Result<DatabaseAddress, SettingError> {
        match self.given()? {
            Some(url) => address(SETTING.variable, url),
            None => default_file(data_folder()).map(DatabaseAddress::Sqlite),
        }
    }

    /// As [`DatabaseArgs::resolve`], for everything that works on a database but does not create one.
    ///
    /// # Errors
    /// As [`DatabaseArgs::resolve`], and when it is a file that does not exist.
    pub fn resolve_existing(&self) -> Result<DatabaseAddress, SettingError> {
        let address = self.resolve()?;
        match &address {
            DatabaseAddress::Sqlite(path) if !path.exists() => {
                let path = path.display();
                let (problem, otherwise) = if self.given()?.is_some() {
                    (format!("names {path}, which does not exist"), "mend the path")
                } else {
                    (format!("is not set, and there is no database at {path}"), POSTGRES_REMEDY)
                };
                let remedy = format!("`killfleet standalone` and `killfleet migrate` create it, or {otherwise}");
                Err(SettingError::malformed(SETTING.variable, problem, remedy))
            }
            _ => Ok(address),
        }
    }

    /// The address of a server, for processes that share their database: a `postgres://` or `postgresql://` URL.
    ///
    /// # Errors
    /// It is missing, unreadable or another kind of address.
    pub fn resolve_for_the_fleet(&self) -> Result<SecretString, SettingError> {
        let url = self.given()?.ok_or_else(|| SettingError::not_set(SETTING.variable, SETTING.remedy))?;
        match address(SETTING.variable, url)? {
            DatabaseAddress::Postgres(url) => Ok(url),
            DatabaseAddress::Sqlite(_) => Err(SettingError::malformed(
                SETTING.variable,
                "names an embedded database, which serves one process",
                format!("run `killfleet standalone` on it, or {POSTGRES_REMEDY}"),
            )),
        }
    }

    /// The file of the embedded database, for the process that has it to itself; it may not be there yet.
    ///
    /// # Errors
    /// As [`DatabaseArgs::resolve`], and when it is a server.
    pub fn resolve_file(&self) -> Result<PathBuf, SettingError> {
        match self.resolve()? {
            DatabaseAddress::Sqlite(path) => Ok(path),
            DatabaseAddress::Postgres(_) => Err(SettingError::malformed(
                SETTING.variable,
                "names a PostgreSQL database, and `killfleet standalone` keeps its data in a file",
                "run killfleet-scheduler and killfleet-worker there, or give sqlite:PATH",
            )),
        }
    }

    fn given(&self) -> Result<Option<SecretString>, SettingError> {
        SETTING.read_optional(&self.database_url, &self.database_url_file)
    }
}

pub(super) fn address(variable: &'static str, url: SecretString) -> Result<DatabaseAddress, SettingError> {
    if let Some(path) = url.expose_secret().strip_prefix(SQLITE) {
        return file(variable, path).map(DatabaseAddress::Sqlite);
    }
    let is_postgres = Url::parse(url.expose_secret())
        .is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql") && url.has_authority());
    if is_postgres {
        return Ok(DatabaseAddress::Postgres(url));
    }
    Err(SettingError::malformed(
        variable,
        "is not a postgres:// URL",
        format!("{POSTGRES_REMEDY}, with %-escapes for special characters in the password"),
    ))
}

/// `sqlite:PATH` and `sqlite://PATH` name the same file, whether the path is absolute or not.
fn file(variable: &'static str, path: &str) -> Result<PathBuf, SettingError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    let refused = |problem| {
        let remedy = "give sqlite: and the path of a file, such as sqlite:/var/lib/killfleet/killfleet.db";
        Err(SettingError::malformed(variable, problem, remedy))
    };
    match path {
        "" | ":memory:" => refused("names no file"),
        // What other programs take for options would become part of the file's name.
        _ if path.contains('?') => refused("has a ? in its path"),
        _ if path.ends_with('/') => refused("names a folder"),
        _ => Ok(PathBuf::from(path)),
    }
}

fn data_folder() -> Option<PathBuf> {
    etcetera::base_strategy::Xdg::new().ok().map(|folders| folders.data_dir())
}

fn default_file(data_folder: Option<PathBuf>) -> Result<PathBuf, SettingError> {
    // The store is given the path within a URL, as text.
    let folder = data_folder.filter(|folder| folder.to_str().is_some()).ok_or_else(|| {
        let problem = "is not set, and this user has no home folder for a database";
        SettingError::malformed(SETTING.variable, problem, "give it as sqlite:PATH or postgres://…")
    })?;
    Ok(folder.join(DEFAULT_FILE))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{TemporaryFile, described, parse};
    use super::*;

    /// As a process of the fleet resolves it.
    fn resolve(flags: &[&str]) -> Result<String, String> {
        let resolved = parse::<DatabaseArgs>(flags).resolve_for_the_fleet();
        resolved.map(|url| url.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    /// As the command line of the operator resolves it.
    fn either(url: &str) -> Result<String, String> {
        let resolved = parse::<DatabaseArgs>(&["--database-url", url]).resolve();
        resolved.map(|address| address.url().expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn postgres_addresses_pass_unchanged() {
        for url in [
            "postgres://killfleet:p%40ss@db:5432/killfleet",
            "postgresql://localhost/killfleet?sslmode=require",
            "postgres:///killfleet?host=/var/run/postgresql",
        ] {
            assert_eq!(resolve(&["--database-url", url]).as_deref(), Ok(url));
            assert_eq!(either(url).as_deref(), Ok(url));
        }
    }

    #[test]
    fn a_file_is_a_path_behind_sqlite() {
        for (url, path) in [
            ("sqlite:/var/lib/kill fleet/a.db", "/var/lib/kill fleet/a.db"),
            ("sqlite:///var/lib/a.db", "/var/lib/a.db"),
            ("sqlite:a.db", "a.db"),
            ("sqlite://folder/50%#.db", "folder/50%#.db"),
        ] {
            let args = parse::<DatabaseArgs>(&["--database-url", url]);
            assert_eq!(args.resolve_file(), Ok(PathBuf::from(path)), "{url}");
            assert_eq!(either(url), Ok(format!("sqlite:{path}")));
        }
        for url in ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite:a.db?mode=rwc", "sqlite:folder/"] {
            let error = either(url).unwrap_err();
            assert!(error.starts_with("KILLFLEET_DATABASE_URL "), "{url}: {error}");
            assert!(error.contains("give sqlite: and the path of a file"), "{url}: {error}");
        }
    }

    #[test]
    fn without_an_address_it_is_a_file_among_the_users_data() {
        let folder = PathBuf::from("/home/somebody/.local/share");
        assert_eq!(default_file(Some(folder.clone())), Ok(folder.join("killfleet/killfleet.db")));
        let error = default_file(None).unwrap_err().to_string();
        assert!(error.starts_with("KILLFLEET_DATABASE_URL is not set, and this user has no home folder"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_refused_where_none_is_created() {
        let there = TemporaryFile::with("");
        let url = format!("sqlite:{}", there.path());
        assert!(parse::<DatabaseArgs>(&["--database-url", &url]).resolve_existing().is_ok());
        let error = parse::<DatabaseArgs>(&["--database-url", "sqlite:/no/such/file"]).resolve_existing().unwrap_err();
        assert_eq!(
            error.to_string(),
            "KILLFLEET_DATABASE_URL names /no/such/file, which does not exist: \
             `killfleet standalone` and `killfleet migrate` create it, or mend the path"
        );
        // A server is asked when it is connected to.
        assert!(parse::<DatabaseArgs>(&["--database-url", "postgres://h/d"]).resolve_existing().is_ok());
    }

    #[test]
    fn each_program_says_where_the_other_kind_belongs() {
        let error = resolve(&["--database-url", "sqlite:a.db"]).unwrap_err();
        assert_eq!(
            error,
            "KILLFLEET_DATABASE_URL names an embedded database, which serves one process: \
             run `killfleet standalone` on it, or give it as postgres://user:password@host:5432/database"
        );
        let error = parse::<DatabaseArgs>(&["--database-url", "postgres://u:hush@h/d"]).resolve_file().unwrap_err();
        assert_eq!(
            error.to_string(),
            "KILLFLEET_DATABASE_URL names a PostgreSQL database, and `killfleet standalone` keeps its data in a file: \
             run killfleet-scheduler and killfleet-worker there, or give sqlite:PATH"
        );
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
            assert_eq!(either(url).unwrap_err(), error);
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
