//! The test's own database, and a way to look into it and to change it behind the fleet's back.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, FromRow, Postgres};
use store::scratch;

const DEFAULT_SERVER: &str = "postgres://postgres@127.0.0.1:5432/postgres";

pub(crate) struct Database {
    url: SecretString,
    pool: PgPool,
}

impl Database {
    pub(super) async fn create(is_migrated: bool) -> Self {
        let server = server();
        let url = if is_migrated { scratch::create_migrated(&server).await } else { scratch::create(&server).await };
        let url = url.unwrap_or_else(|error| panic!("no scratch database: {}", error.failure()));
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy(url.expose_secret()).unwrap();
        Self { url, pool }
    }

    pub(super) async fn drop(self) {
        self.pool.close().await;
        scratch::drop(&self.url).await.unwrap_or_else(|error| panic!("not dropped: {}", error.failure()));
    }

    pub(crate) fn url(&self) -> &str {
        self.url.expose_secret()
    }

    /// Runs statements; the number of rows that they touched.
    pub(crate) async fn execute(&self, sql: &str) -> u64 {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await;
        done.unwrap_or_else(|error| panic!("{error} in: {sql}")).rows_affected()
    }

    /// The one value that a query gives.
    pub(crate) async fn value<T>(&self, sql: &str) -> T
    where
        T: for<'row> sqlx::Decode<'row, Postgres> + sqlx::Type<Postgres> + Send + Unpin,
    {
        let value = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.pool).await;
        value.unwrap_or_else(|error| panic!("{error} in: {sql}"))
    }

    /// All rows that a query gives, as tuples.
    pub(crate) async fn rows<T>(&self, sql: &str) -> Vec<T>
    where
        T: for<'row> FromRow<'row, PgRow> + Send + Unpin,
    {
        let rows = sqlx::query_as(AssertSqlSafe(sql.to_owned())).fetch_all(&self.pool).await;
        rows.unwrap_or_else(|error| panic!("{error} in: {sql}"))
    }

    /// How many rows a table has, or such that a condition holds: `count("character where attempt > 0")`.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        self.value(&format!("select count(*) from {from}")).await
    }

    /// The pool, for statements that bind values.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Every row of every table as text: equal before and after means that nothing was written.
    pub(crate) async fn contents(&self) -> BTreeMap<String, Vec<String>> {
        let tables: Vec<(String,)> =
            self.rows("select tablename::text from pg_tables where schemaname = 'public'").await;
        let mut contents = BTreeMap::new();
        for (table,) in tables {
            let rows: Vec<(String,)> =
                self.rows(&format!(r#"select t::text as row from "{table}" t order by 1"#)).await;
            contents.insert(table, rows.into_iter().map(|(row,)| row).collect());
        }
        contents
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own setting, which no process of the fleet reads")]
fn server() -> SecretString {
    let url = std::env::var("KILLFLEET_TEST_DATABASE_URL").unwrap_or_else(|_| DEFAULT_SERVER.to_owned());
    SecretString::from(url)
}
