//! All the SQL of the fleet, in domain verbs.
//!
//! A row is a job: it is *claimed* (a lease and a fence), worked on outside any transaction, and *finished* under the
//! fence, in the same transaction as the data it brought. A finish that hits no row means that the lease was lost to
//! another worker: nothing is written. All leases and due times are on the database's clock.
//!
//! There are two databases: PostgreSQL for a fleet, and a SQLite file for one process ([`postgres`] and [`sqlite`] connect
//! to them). A verb is written once; its statements stand in two modules of the same names below it, side by side, and
//! one contract suite holds both. What only one of them can do stays in its own module.
//!
//! Where to start: [`due`] is the scheduler's side; [`list_job`] with [`list_page`], [`detail_job`] and [`refresh_job`] are the three
//! lanes; [`login`] is how a token comes in; [`seal`] is how it rests, [`reseal`] how its key is changed, and
//! [`token_event`] what has happened to it.

mod access;
pub mod affiliation;
pub mod alone;
pub mod backfill;
pub mod breaker;
pub mod carry;
pub mod character;
pub mod corporation;
pub mod detail_job;
pub mod director;
pub mod due;
pub mod error;
pub mod esi_bucket;
pub mod esi_gate;
pub mod exercise;
pub mod explain;
pub mod killreport;
pub mod lease;
pub mod list_job;
pub mod list_page;
mod list_table;
pub mod login;
pub mod look;
pub mod parked;
pub mod pause;
mod postgres;
mod prune;
pub mod refresh_job;
pub mod reseal;
pub mod schema;
pub mod scratch;
pub mod seal;
pub mod sibling;
mod sqlite;
pub mod sso_slot;
pub mod status;
pub mod take_over;
pub mod token_event;
pub mod token_stream;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgPool;

pub use error::StoreError;
pub use seal::Keyring;
use sqlite::SqliteFile;

/// The database of the fleet. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    face: Face,
}

#[derive(Debug, Clone)]
enum Face {
    Postgres(PgPool),
    Sqlite(SqliteFile),
}

impl Store {
    /// Connects, and refuses a database at another schema version than this build's. The URL is that of a PostgreSQL
    /// database, or `sqlite:PATH` of a file that is there.
    ///
    /// # Errors
    /// [`StoreError::InvalidUrl`], [`StoreError::Database`] when it cannot be reached, [`StoreError::Schema`].
    pub async fn connect(url: &SecretString, process: &str, connections_max: u32) -> Result<Self, StoreError> {
        let face = match sqlite::path_in(url.expose_secret()) {
            Some(path) => Face::Sqlite(SqliteFile::open(path, connections_max).await?),
            None => Face::Postgres(postgres::connect(url, process, connections_max).await?),
        };
        let store = Self { face };
        store.check_schema().await?;
        Ok(store)
    }

    /// Connects without looking at the schema: for who migrates it right after. A SQLite file that is not there is created,
    /// with its folder, for this user only.
    ///
    /// # Errors
    /// As [`Store::connect`], but for the schema; [`StoreError::File`] when the file cannot be created.
    pub async fn connect_unchecked(
        url: &SecretString,
        process: &str,
        connections_max: u32,
    ) -> Result<Self, StoreError> {
        let face = match sqlite::path_in(url.expose_secret()) {
            Some(path) => {
                sqlite::create(path)?;
                Face::Sqlite(SqliteFile::open(path, connections_max).await?)
            }
            None => Face::Postgres(postgres::connect(url, process, connections_max).await?),
        };
        Ok(Self { face })
    }

    /// The time on the database's clock: the one that leases, due times and expiries of tokens are held against.
    ///
    /// # Errors
    /// When the database does not answer; [`StoreError::FileGone`].
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        match &self.face {
            Face::Postgres(pool) => {
                postgres::now(pool).await.map_err(StoreError::during("asking the database for the time"))
            }
            Face::Sqlite(file) => file.now(),
        }
    }

    /// Closes all connections; waits for those in use.
    pub async fn close(&self) {
        match &self.face {
            Face::Postgres(pool) => pool.close().await,
            Face::Sqlite(file) => file.close().await,
        }
    }
}
