//! The connections to a SQLite file, and how the file holds times.
//!
//! One connection writes and some read: SQLite has one writer at a time in any case, and writers of ours that queue for a
//! connection wait for a tenth of the time that they would wait for each other's locks. A commit is on the disk when it
//! is answered (`synchronous = full`): a new refresh token that the file forgets is lost for good.

use std::fs::{DirBuilder, OpenOptions, metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use sqlx::pool::PoolOptions;
use sqlx::{ConnectOptions, Connection};
use sqlx_sqlite::{Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::StoreError;
use crate::schema::SchemaMismatch;

/// How long a statement waits for another process that is just writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// More readers than this only wait for the disk.
const READERS_MAX: u32 = 4;

/// The log beside the file grows while somebody reads an old state of it. Once it is written from its beginning again,
/// it keeps no more than this on the disk.
const LOG_BYTES_KEPT: u32 = 16 * 1024 * 1024;

/// An open file. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SqliteFile {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    place: Arc<Place>,
}

/// Where the file is, and which one it was when it was opened.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    identity: (u64, u64),
}

impl SqliteFile {
    pub(crate) async fn open(path: &Path, connections_max: u32) -> Result<Self, StoreError> {
        let doing = "opening the database";
        // From the root on: SQLite would take a name that begins with `file:` for a URI, and another file for it.
        let path = path::absolute(path).map_err(|error| StoreError::during(doing)(error.into()))?;
        let plain = SqliteConnectOptions::new().filename(&path).create_if_missing(false).disable_statement_logging();
        refuse_foreign(&plain).await?;
        let options = plain
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // On macOS a plain sync leaves it to the drive when it writes. Elsewhere this changes nothing.
            .pragma("fullfsync", "on")
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("journal_size_limit", LOG_BYTES_KEPT.to_string());
        let writer = pool(1).connect_with(options.clone()).await.map_err(StoreError::during(doing))?;
        // A file that may only be read is opened all the same, and would fail at the first write: so this is one.
        let mut trial = writer.begin_with("begin immediate").await.map_err(StoreError::during(doing))?;
        sqlx::query("pragma user_version = 0").execute(&mut *trial).await.map_err(StoreError::during(doing))?;
        trial.rollback().await.map_err(StoreError::during(doing))?;
        let readers = pool(connections_max.clamp(1, READERS_MAX)).connect_lazy_with(options.pragma("query_only", "on"));
        let identity = identity(&path).map_err(|error| StoreError::during(doing)(error.into()))?;
        Ok(Self { writer, readers, place: Arc::new(Place { path, identity }) })
    }

    /// The present, which is asked for before anything is decided. So it is here that a file is missed: SQLite goes on
    /// writing to one that was removed, and a token that is renewed then is gone with this process.
    pub(crate) fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        let Place { path, identity: opened } = &*self.place;
        match identity(path) {
            Ok(found) if found == *opened => Ok(now()),
            _ => Err(StoreError::FileGone { path: path.clone() }),
        }
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Another program's file stays as it is: already the way in which we keep its log would change it. What cannot be looked
/// into is refused, with its reason, by what comes after this.
async fn refuse_foreign(plain: &SqliteConnectOptions) -> Result<(), StoreError> {
    let Ok(mut connection) = plain.clone().read_only(true).connect().await else { return Ok(()) };
    let is_foreign = "select exists (select 1 from sqlite_schema)
                         and not exists (select 1 from sqlite_schema where name = '_sqlx_migrations')";
    let is_foreign: sqlx::Result<bool> = sqlx::query_scalar(is_foreign).fetch_one(&mut connection).await;
    // Whatever closing it has to say, nothing was written.
    let _ = connection.close().await;
    match is_foreign {
        Ok(true) => Err(SchemaMismatch::Foreign.into()),
        _ => Ok(()),
    }
}

/// Two names with the same identity are names of one file.
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Connections that are kept for good: there is no server that would have to be asked whether it is still there.
fn pool(connections_max: u32) -> PoolOptions<Sqlite> {
    SqlitePoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_release(|connection, _| {
            Box::pin(async move {
                // First what a dropped transaction has left to be rolled back. When the disk fails, SQLite rolls back by
                // itself, and sqlx would take the connection to be within that transaction for ever.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
}

/// The path in `sqlite:PATH` or `sqlite://PATH`; none for any other URL.
pub(crate) fn path_in(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:")?;
    Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
}

/// Creates an empty file, which is an empty database, if there is none: it will hold sealed tokens, so nobody else may
/// read it. The files that SQLite puts beside it get the same rights.
pub(crate) fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}

/// The clock of the machine: the file has no other. To the microsecond, as both databases keep it.
#[expect(clippy::disallowed_methods, reason = "here this is the database's clock")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// A time as the file holds it: texts of one width, so that they compare as the times do. Later than the year 9999,
/// which would need a wider one, is never.
pub(crate) fn text(at: DateTime<Utc>) -> String {
    const LAST: DateTime<Utc> =
        NaiveDate::from_ymd_opt(9999, 12, 31).expect("a date").and_time(NaiveTime::MIN).and_utc();
    at.min(LAST).to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The present as the file holds it.
pub(crate) fn now_text() -> String {
    text(now())
}

/// The time after so long a span, as the file holds it.
pub(crate) fn later(span: Duration) -> String {
    text(
        TimeDelta::from_std(span)
            .ok()
            .and_then(|span| now().checked_add_signed(span))
            .unwrap_or(DateTime::<Utc>::MAX_UTC),
    )
}

/// The time before so long a span, as the file holds it.
pub(crate) fn earlier(span: Duration) -> String {
    text(now() - span)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_commit_is_on_the_disk_when_it_is_answered() {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let url = crate::scratch::create_file().unwrap();
            let file = SqliteFile::open(path_in(url.expose_secret()).unwrap(), 1).await.unwrap();
            let settings = "select journal_mode, synchronous, fullfsync
                            from pragma_journal_mode, pragma_synchronous, pragma_fullfsync";
            const FULL: i64 = 2;
            let set: (String, i64, bool) = sqlx::query_as(settings).fetch_one(&file.writer).await.unwrap();
            assert_eq!(set, ("wal".to_owned(), FULL, true));
            file.close().await;
            crate::scratch::drop(&url).await.unwrap();
        });
    }
}
