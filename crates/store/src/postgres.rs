//! The connections to PostgreSQL.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::StoreError;

/// A query that runs longer than this is ended by the database: no job waits for ever on a lock.
const STATEMENT_TIMEOUT: &str = "30s";
/// A process that stands still in a transaction, or whose network has gone, keeps its locks no longer than this: others
/// wait for the same rows (`esi_bucket`), so all of the fleet would. No transaction is open during a call, so one that
/// waits for its process is short.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "10s";
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn connect(url: &SecretString, process: &str, connections_max: u32) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url.expose_secret())
        .map_err(|_| StoreError::InvalidUrl)?
        .application_name(process)
        .options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
        ]);
    // Once by itself, because a pool that cannot connect says only that it has run out of time.
    let doing = "connecting to the database";
    let first = options.connect().await.map_err(StoreError::during(doing))?;
    first.close().await.map_err(StoreError::during(doing))?;
    let pool = PgPoolOptions::new().max_connections(connections_max).acquire_timeout(ACQUIRE_TIMEOUT);
    Ok(pool.connect_lazy_with(options))
}

pub(crate) async fn now(pool: &PgPool) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(pool).await
}
