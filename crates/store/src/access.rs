//! How a verb gets at its rows, whichever of the two databases they are in.
//!
//! A verb asks [`Store`] for an [`Access`] and puts its statements through [`dialect!`](crate::dialect): the statement is
//! a function of the same name in the two modules `postgres` and `sqlite` that lie below the verb's own, side by side.

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Transaction};
use sqlx_sqlite::{Sqlite, SqliteConnection};

use crate::postgres::Taken;
use crate::{Face, Store, StoreError};

/// A connection, or a transaction that nothing is kept of until [`Access::commit`].
pub(crate) struct Access {
    held: Held,
    pub(crate) doing: &'static str,
}

enum Held {
    Postgres(Taken),
    SqliteConnection(PoolConnection<Sqlite>),
    SqliteTransaction(Transaction<'static, Sqlite>),
}

/// What a statement is made for.
pub(crate) enum Dialect<'access> {
    Postgres(&'access mut PgConnection),
    Sqlite(&'access mut SqliteConnection),
}

impl Access {
    pub(crate) fn dialect(&mut self) -> Dialect<'_> {
        match &mut self.held {
            Held::Postgres(taken) => Dialect::Postgres(taken.connection()),
            Held::SqliteConnection(connection) => Dialect::Sqlite(connection),
            Held::SqliteTransaction(transaction) => Dialect::Sqlite(transaction),
        }
    }

    /// Without it nothing of a transaction, or of a change, is kept.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self.held {
            Held::SqliteConnection(_) => Ok(()),
            Held::Postgres(taken) => taken.commit().await,
            Held::SqliteTransaction(transaction) => transaction.commit().await,
        }
        .map_err(StoreError::during(self.doing))
    }
}

impl Store {
    /// For statements that only read.
    pub(crate) async fn read(&self, doing: &'static str) -> Result<Access, StoreError> {
        let held = match &self.face {
            Face::Postgres(pool) => Taken::from(pool).await.map(Held::Postgres),
            Face::Sqlite(file) => file.readers.acquire().await.map(Held::SqliteConnection),
        };
        Ok(Access { held: held.map_err(StoreError::during(doing))?, doing })
    }

    /// For one statement that writes. PostgreSQL keeps it by itself; for SQLite it is a transaction like any other, and
    /// so both need the [`Access::commit`].
    pub(crate) async fn change(&self, doing: &'static str) -> Result<Access, StoreError> {
        match &self.face {
            Face::Postgres(_) => self.read(doing).await,
            Face::Sqlite(_) => self.transaction(doing).await,
        }
    }

    /// For several statements of which at least one writes.
    pub(crate) async fn transaction(&self, doing: &'static str) -> Result<Access, StoreError> {
        let held = match &self.face {
            Face::Postgres(pool) => Taken::in_transaction(pool).await.map(Held::Postgres),
            // One that began by reading could not write any more once another process has written.
            Face::Sqlite(file) => file.writer.begin_with("begin immediate").await.map(Held::SqliteTransaction),
        };
        Ok(Access { held: held.map_err(StoreError::during(doing))?, doing })
    }
}

/// `dialect!(access, verb(arguments))`: runs `postgres::verb` or `sqlite::verb`, as they are known where it is written, with
/// the connection as first argument. What goes wrong is told as something that went wrong while doing what the access is for.
macro_rules! dialect {
    ($access:expr, $verb:ident($($argument:expr),* $(,)?)) => {{
        let access: &mut $crate::access::Access = &mut $access;
        let doing = access.doing;
        match access.dialect() {
            $crate::access::Dialect::Postgres(connection) => {
                $crate::postgres::in_time(postgres::$verb(connection, $($argument),*)).await
            }
            $crate::access::Dialect::Sqlite(connection) => sqlite::$verb(connection, $($argument),*).await,
        }
        .map_err($crate::StoreError::during(doing))
    }};
}
pub(crate) use dialect;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_transaction_has_the_file_to_itself_before_it_has_written_anything() {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let url = crate::scratch::create_file().unwrap();
            let one = Store::connect_unchecked(&url, "killfleet-test", 1).await.unwrap();
            let other = Store::connect_unchecked(&url, "killfleet-test", 1).await.unwrap();
            let held = one.transaction("holding the file").await.unwrap();
            let mut waiting = Box::pin(other.transaction("waiting for it"));
            assert!(tokio::time::timeout(Duration::from_millis(100), &mut waiting).await.is_err());
            held.commit().await.unwrap();
            waiting.await.unwrap().commit().await.unwrap();
            crate::scratch::drop(&url).await.unwrap();
        });
    }
}
