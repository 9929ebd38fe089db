//! What can go wrong between us and the database, and what it means.

use std::path::PathBuf;

use domain::{Failure, FailureClass};
use sqlx::migrate::MigrateError;
use sqlx_sqlite::SqliteError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum StoreError {
    /// The text of the URL is left out: it may hold a password.
    #[error(
        "KILLFLEET_DATABASE_URL cannot be read: it must have the form postgres://user:password@host:5432/database or sqlite:PATH"
    )]
    InvalidUrl,
    /// Its certificate is not to be trusted, or it knows no TLS and is to be talked to in no other way.
    #[error("connecting to the database by TLS failed")]
    Tls { source: sqlx::Error },
    #[error("{doing} failed")]
    Database { doing: &'static str, source: sqlx::Error },
    #[error("the database file {} cannot be created", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// Somebody has removed it, or put another one in its place, while we had it open.
    #[error(
        "the database file {} is gone or another one: put it back before this process ends, or what it has written since is lost",
        path.display()
    )]
    FileGone { path: PathBuf },
    #[error("migrating the database failed")]
    Migrate(#[source] MigrateError),
    #[error(transparent)]
    Schema(#[from] crate::schema::SchemaMismatch),
    #[error(transparent)]
    Seal(#[from] crate::seal::SealError),
    /// A row holds something that our types do not allow: written by another program, or by a newer build.
    #[error("the database holds {what}, which this build does not understand")]
    UnexpectedRow { what: String },
}

impl StoreError {
    pub(crate) fn during(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }

    pub(crate) fn unexpected(what: impl ToString) -> Self {
        Self::UnexpectedRow { what: what.to_string() }
    }

    /// [`FailureClass::Transient`] when the same call may work in a while: the database is away, restarting, full of
    /// locks or out of connections. Everything else is a mistake of ours or of the settings.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Database { source, .. } => class_of(source),
            Self::InvalidUrl | Self::Tls { .. } | Self::File { .. } | Self::FileGone { .. } | Self::Schema(_) => {
                FailureClass::Configuration
            }
            Self::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
                class_of(source)
            }
            Self::Migrate(_) | Self::Seal(_) | Self::UnexpectedRow { .. } => FailureClass::Ours,
        }
    }

    /// In the form that rows and logs remember.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let class = self.class();
        let reason = match self {
            Self::Database { source, .. } if class == FailureClass::Configuration => {
                let check = in_the_file(source).unwrap_or("user, password and database in KILLFLEET_DATABASE_URL");
                format!("{self}: {source}: check {check}")
            }
            Self::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _))
                if class == FailureClass::Configuration =>
            {
                let owner = "the user in KILLFLEET_DATABASE_URL: it must be the owner of the tables";
                format!("{self}: {source}: check {}", in_the_file(source).unwrap_or(owner))
            }
            Self::Database { source, .. } => format!("{self}: {source}"),
            Self::Tls { source } => format!(
                "{self}: {source}: check sslmode, sslrootcert and the host in KILLFLEET_DATABASE_URL: the file must hold the \
                 authority that has issued the server's certificate, and the host must be a name that the certificate holds"
            ),
            Self::File { source, .. } => format!("{self}: {source}: check the path in KILLFLEET_DATABASE_URL"),
            Self::Migrate(source) => format!("{self}: {source}"),
            other => other.to_string(),
        };
        Failure::is(class, reason)
    }
}

/// What to check if the error is one of SQLite.
fn in_the_file(error: &sqlx::Error) -> Option<&'static str> {
    sqlite_code(error)
        .map(|_| "KILLFLEET_DATABASE_URL: the file must be a database of killfleet that this user may write")
}

/// SQLite's primary result code, if the error is one of SQLite.
fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    // The low byte of an extended code is the primary one: https://www.sqlite.org/rescode.html
    sqlx::error::DatabaseError::code(error)?.parse::<i32>().ok().map(|code| code & 0xff)
}

fn class_of(error: &sqlx::Error) -> FailureClass {
    if let Some(code) = sqlite_code(error) {
        return match code {
            // Busy, locked, out of memory, trouble of the disk, a full disk, and a race for a lock.
            5 | 6 | 7 | 10 | 13 | 15 => FailureClass::Transient,
            // No right to it, read only, damaged, not to be opened, not a database.
            3 | 8 | 11 | 14 | 23 | 26 => FailureClass::Configuration,
            _ => FailureClass::Ours,
        };
    }
    match error {
        sqlx::Error::Database(error) => {
            // https://www.postgresql.org/docs/current/errcodes-appendix.html: connection, insufficient resources,
            // operator intervention, system error; serialization failure, deadlock, lock not available, a standby or a
            // server that is being shut down, and a transaction in which we stood still for too long.
            let code = error.code().unwrap_or_default();
            let passes = ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
                || ["40001", "40P01", "55P03", "25006", "25P03"].contains(&code.as_ref());
            // Wrong user or password, no right to connect, no such database.
            let is_setting = code.starts_with("28") || ["3D000", "42501"].contains(&code.as_ref());
            match (passes, is_setting) {
                (true, _) => FailureClass::Transient,
                (false, true) => FailureClass::Configuration,
                (false, false) => FailureClass::Ours,
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => FailureClass::Transient,
        _ => FailureClass::Ours,
    }
}
