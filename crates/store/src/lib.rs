//! All the SQL of the fleet, in domain verbs.
//!
//! A row is a job: it is *claimed* (a lease and a fence), worked on outside any transaction, and *finished* under the
//! fence, in the same transaction as the data it brought. A finish that hits no row means that the lease was lost to
//! another worker: nothing is written. All leases and due times are on the database's clock.
//!
//! Where to start: [`due`] is the scheduler's side; [`list_job`] with [`list_page`], [`detail_job`] and [`refresh_job`] are the three
//! lanes; [`login`] is how a token comes in; [`seal`] is how it rests.

pub mod alone;
pub mod character;
pub mod detail_job;
pub mod due;
pub mod error;
pub mod lease;
pub mod list_job;
pub mod list_page;
pub mod login;
pub mod pause;
pub mod refresh_job;
pub mod schema;
pub mod scratch;
pub mod seal;
pub mod status;
pub mod take_over;
pub mod token_stream;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use std::str::FromStr;
use std::time::Duration;

pub use error::StoreError;
pub use seal::Keyring;

/// A query that runs longer than this is ended by the database: no job waits for ever on a lock.
const STATEMENT_TIMEOUT: &str = "30s";
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// The database of the fleet. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Connects, and refuses a database at another schema version than this build's.
    ///
    /// # Errors
    /// [`StoreError::InvalidUrl`], [`StoreError::Database`] when it cannot be reached, [`StoreError::Schema`].
    pub async fn connect(url: &SecretString, process: &str, connections_max: u32) -> Result<Self, StoreError> {
        let store = Self::connect_unchecked(url, process, connections_max).await?;
        schema::check(&store.pool).await?;
        Ok(store)
    }

    /// Connects without looking at the schema: for `killfleet migrate` only.
    ///
    /// # Errors
    /// As [`Store::connect`], but for the schema.
    pub async fn connect_unchecked(
        url: &SecretString,
        process: &str,
        connections_max: u32,
    ) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url.expose_secret())
            .map_err(|_| StoreError::InvalidUrl)?
            .application_name(process)
            .options([("statement_timeout", STATEMENT_TIMEOUT)]);
        // Once by itself, because a pool that cannot connect says only that it has run out of time.
        let doing = "connecting to the database";
        let first = options.connect().await.map_err(StoreError::during(doing))?;
        first.close().await.map_err(StoreError::during(doing))?;
        let pool = PgPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// Brings the schema to this build's version; returns how many migrations were applied.
    ///
    /// # Errors
    /// [`StoreError::Schema`] for a database that a newer build has migrated, [`StoreError::Migrate`] otherwise.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        schema::migrate(&self.pool).await
    }

    /// The time on the database's clock: the one that leases, due times and expiries of tokens are held against.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        sqlx::query_scalar!(r#"select now() as "now!""#)
            .fetch_one(&self.pool)
            .await
            .map_err(StoreError::during("asking the database for the time"))
    }

    /// Closes all connections; waits for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
