//! The connections to PostgreSQL, and the time limit that stands on every answer of it.
//!
//! A server that has died without a word, or a network that has swallowed a connection, is noticed by the operating system
//! after a quarter of an hour. Jobs would wait for that long, and their leases run out.

mod taken;

use std::io;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
pub(crate) use taken::Taken;
use tokio::time::timeout;

use crate::StoreError;

/// A query that runs longer than this is ended by the database: no job waits for ever on a lock.
const STATEMENT_TIMEOUT: &str = "30s";
/// A process that stands still in a transaction, or whose network has gone, keeps its locks no longer than this: others
/// wait for the same rows (`esi_bucket`), so all of the fleet would. No transaction is open during a call, so one that
/// waits for its process is short.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "10s";
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than the longest statement.
const ANSWER_LIMIT: Duration = Duration::from_secs(45);

/// Waits for an answer of the server, but not for ever.
pub(crate) async fn in_time<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let silence = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", ANSWER_LIMIT.as_secs()));
    timeout(ANSWER_LIMIT, answer).await.unwrap_or_else(|_| Err(silence().into()))
}

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
    let first = in_time(options.connect()).await.map_err(|source| match is_of_tls(&source) {
        true => StoreError::Tls { source },
        false => StoreError::Database { doing, source },
    })?;
    in_time(first.close()).await.map_err(StoreError::during(doing))?;
    let pool = PgPoolOptions::new().max_connections(connections_max).acquire_timeout(ACQUIRE_TIMEOUT);
    Ok(pool.connect_lazy_with(options))
}

/// Something to be mended in the settings, before the first connection stands. Later the pool tries again, as after any
/// other loss.
fn is_of_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => {
            let tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
            matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
        }
        _ => false,
    }
}

pub(crate) async fn now(pool: &PgPool) -> sqlx::Result<DateTime<Utc>> {
    let mut taken = Taken::from(pool).await?;
    in_time(sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(taken.connection())).await
}
