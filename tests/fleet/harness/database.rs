//! The test's own database, and a way to look into it and to change it behind the fleet's back.
//!
//! SQL of the tests is what both databases understand, and some idioms of PostgreSQL that [`dialect`] knows.

#[path = "../../../crates/store/tests/contract/harness/dialect.rs"]
mod dialect;
mod postgres;
mod sqlite;

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{Decode, FromRow, Postgres, Type};
use sqlx_sqlite::{Sqlite, SqlitePool, SqliteRow};
use store::scratch;

use super::On;
use super::simulator::TrueKillmail;

const DEFAULT_SERVER: &str = "postgres://postgres@127.0.0.1:5432/postgres";

pub(crate) struct Database {
    url: SecretString,
    fleet_url: SecretString,
    connections: Connections,
}

enum Connections {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// A statement whose transaction is still open: who wants to write the same rows waits. In a file that is everybody.
pub(crate) enum Held {
    Postgres(sqlx::Transaction<'static, Postgres>),
    Sqlite(sqlx::Transaction<'static, Sqlite>),
}

impl Held {
    pub(crate) async fn let_go(self) {
        match self {
            Self::Postgres(transaction) => transaction.rollback().await,
            Self::Sqlite(transaction) => transaction.rollback().await,
        }
        .unwrap();
    }
}

/// What can be read from both databases.
pub(crate) trait Value:
    for<'row> Decode<'row, Postgres> + Type<Postgres> + for<'row> Decode<'row, Sqlite> + Type<Sqlite> + Send + Unpin
{
}

impl<T> Value for T where
    T: for<'row> Decode<'row, Postgres> + Type<Postgres> + for<'row> Decode<'row, Sqlite> + Type<Sqlite> + Send + Unpin
{
}

/// A tuple of [`Value`]s.
pub(crate) trait Row:
    for<'row> FromRow<'row, PgRow> + for<'row> FromRow<'row, SqliteRow> + Send + Unpin
{
}

impl<T> Row for T where T: for<'row> FromRow<'row, PgRow> + for<'row> FromRow<'row, SqliteRow> + Send + Unpin {}

impl Database {
    pub(super) async fn create(on: On, is_migrated: bool) -> Self {
        let url = match (on, is_migrated) {
            (On::Services, true) => scratch::create_migrated(&server()).await,
            (On::Services, false) => scratch::create(&server()).await,
            (On::Standalone, true) => scratch::create_file_migrated().await,
            (On::Standalone, false) => scratch::create_file(),
        };
        let url = url.unwrap_or_else(|error| panic!("no scratch database: {}", error.failure()));
        let connections = match on {
            On::Services => {
                let options = PgPoolOptions::new().max_connections(2);
                Connections::Postgres(options.connect_lazy(url.expose_secret()).unwrap())
            }
            On::Standalone => Connections::Sqlite(sqlite::connect(url.expose_secret())),
        };
        let fleet_url = match (on, is_migrated) {
            (On::Services, true) => postgres::as_role(&url, "killfleet_app"),
            _ => url.clone(),
        };
        Self { url, fleet_url, connections }
    }

    pub(super) async fn drop(self) {
        match &self.connections {
            Connections::Postgres(pool) => pool.close().await,
            Connections::Sqlite(pool) => pool.close().await,
        }
        scratch::drop(&self.url).await.unwrap_or_else(|error| panic!("not dropped: {}", error.failure()));
    }

    /// Its owner's, who may do everything.
    pub(crate) fn url(&self) -> &str {
        self.url.expose_secret()
    }

    /// That of the fleet: on a server, once there is a schema, with the rights of `killfleet_app` and no more.
    pub(crate) fn fleet_url(&self) -> &str {
        self.fleet_url.expose_secret()
    }

    /// Runs statements; the number of rows that they touched.
    pub(crate) async fn execute(&self, sql: &str) -> u64 {
        let touched = match &self.connections {
            Connections::Postgres(pool) => postgres::execute(pool, sql).await,
            Connections::Sqlite(pool) => sqlite::execute(pool, sql).await,
        };
        touched.unwrap_or_else(|error| panic!("{error} in: {sql}"))
    }

    /// Runs a statement that writes, and keeps what it has touched locked until it is let go; it changes nothing.
    pub(crate) async fn hold(&self, sql: &str) -> Held {
        let held = match &self.connections {
            Connections::Postgres(pool) => postgres::hold(pool, sql).await.map(Held::Postgres),
            Connections::Sqlite(pool) => sqlite::hold(pool, sql).await.map(Held::Sqlite),
        };
        held.unwrap_or_else(|error| panic!("{error} in: {sql}"))
    }

    /// The one value that a query gives.
    pub(crate) async fn value<T: Value>(&self, sql: &str) -> T {
        let value = match &self.connections {
            Connections::Postgres(pool) => postgres::value(pool, sql).await,
            Connections::Sqlite(pool) => sqlite::value(pool, sql).await,
        };
        value.unwrap_or_else(|error| panic!("{error} in: {sql}"))
    }

    /// All rows that a query gives, as tuples.
    pub(crate) async fn rows<T: Row>(&self, sql: &str) -> Vec<T> {
        let rows = match &self.connections {
            Connections::Postgres(pool) => postgres::rows(pool, sql).await,
            Connections::Sqlite(pool) => sqlite::rows(pool, sql).await,
        };
        rows.unwrap_or_else(|error| panic!("{error} in: {sql}"))
    }

    /// How many rows a table has, or such that a condition holds: `count("character where attempt > 0")`.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        self.value(&format!("select count(*) from {from}")).await
    }

    /// As if so long had gone by for all that the database remembers.
    pub(crate) async fn let_minutes_pass(&self, minutes: u32) {
        let columns: Vec<(String, String)> = match &self.connections {
            Connections::Postgres(_) => self.rows(postgres::COLUMNS).await,
            Connections::Sqlite(_) => self.rows(sqlite::COLUMNS).await,
        };
        // When a killmail happened is not ours to change, and it is called otherwise.
        let is_time = |name: &str| name.ends_with("_at") || name.ends_with("_until") || ["at", "until"].contains(&name);
        for (table, column) in columns.into_iter().filter(|(_, column)| is_time(column)) {
            let earlier = format!("update {table} set {column} = {column} - interval '{minutes} minutes'");
            // What has never been stays so.
            self.execute(&format!("{earlier} where {column} > now() - interval '1 year'")).await;
        }
    }

    /// Every row of every table as text: equal before and after means that nothing was written.
    pub(crate) async fn contents(&self) -> BTreeMap<String, Vec<String>> {
        let contents = match &self.connections {
            Connections::Postgres(pool) => postgres::contents(pool).await,
            Connections::Sqlite(pool) => sqlite::contents(pool).await,
        };
        contents.unwrap()
    }

    /// Every killmail whose stored form differs from the true one, and in what. All of these are stored; a body that is
    /// `extended` has members on top of the true ones.
    pub(super) async fn differences(&self, truth: &[&TrueKillmail], extended: &[i64]) -> Vec<(i64, String)> {
        let differences = match &self.connections {
            Connections::Postgres(pool) => postgres::differences(pool, truth, extended).await,
            Connections::Sqlite(pool) => sqlite::differences(pool, truth, extended).await,
        };
        differences.unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own setting, which no process of the fleet reads")]
fn server() -> SecretString {
    let url = std::env::var("KILLFLEET_TEST_DATABASE_URL").unwrap_or_else(|_| DEFAULT_SERVER.to_owned());
    SecretString::from(url)
}
