//! A connection that was taken out of the pool, and does not go back into it without having answered.
//!
//! The pool itself asks a connection for an answer before it takes it back, and waits for it without a limit; one that is
//! dead would keep its place for a quarter of an hour.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPool;
use sqlx::{Connection, Executor, PgConnection, Postgres, Result};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::in_time;

/// For one that goes back: what is left of its transaction is rolled back by then, or it is thrown away.
const RETURN_LIMIT: Duration = Duration::from_secs(5);

pub(crate) struct Taken {
    /// Some until it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    is_in_transaction: bool,
}

impl Taken {
    pub(crate) async fn from(pool: &PgPool) -> Result<Self> {
        Ok(Self { connection: Some(pool.acquire().await?), is_in_transaction: false })
    }

    /// Nothing is kept of the transaction until [`Taken::commit`].
    pub(crate) async fn in_transaction(pool: &PgPool) -> Result<Self> {
        let mut taken = Self::from(pool).await?;
        taken.is_in_transaction = true;
        in_time(taken.connection().execute("BEGIN")).await?;
        Ok(taken)
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("it is there until it is dropped")
    }

    pub(crate) async fn commit(mut self) -> Result<()> {
        if self.is_in_transaction {
            in_time(self.connection().execute("COMMIT")).await?;
            self.is_in_transaction = false;
        }
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            drop(connection.detach());
            return;
        };
        let is_in_transaction = self.is_in_transaction;
        // What is dropped cannot wait. A pool that is closed waits for this.
        runtime.spawn(async move {
            let answer = async {
                match is_in_transaction {
                    true => connection.execute("ROLLBACK").await.map(|_| ()),
                    false => connection.ping().await,
                }
            };
            if !matches!(timeout(RETURN_LIMIT, answer).await, Ok(Ok(()))) {
                drop(connection.detach());
            }
        });
    }
}
