//! Small looks at rows, and writing times into them: SQL that both databases understand, once it is
//! [translated](super::dialect) for one of them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::found::Found;
use super::{Connections, Database, postgres, sqlite};

impl Database {
    /// Runs one statement; gives the number of rows that it touched.
    pub(crate) async fn run(&self, sql: impl Into<String>) -> u64 {
        let sql = sql.into();
        let done = match &self.connections {
            Connections::Postgres(pool) => postgres::run(pool, sql.clone()).await,
            Connections::Sqlite(pool) => sqlite::run(pool, &sql).await,
        };
        done.unwrap_or_else(|error| panic!("{error} in {sql}"))
    }

    /// The rows of a query, each as an object.
    pub(crate) async fn rows(&self, sql: impl Into<String>) -> Vec<Found> {
        let sql = sql.into();
        let rows = match &self.connections {
            Connections::Postgres(pool) => postgres::rows(pool, &sql).await,
            Connections::Sqlite(pool) => sqlite::rows(pool, &sql).await,
        };
        rows.unwrap_or_else(|error| panic!("{error} in {sql}")).into_iter().map(Found).collect()
    }

    /// The one row of a query.
    pub(crate) async fn row(&self, sql: impl Into<String>) -> Found {
        let mut rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// The one column of the one row of a query.
    pub(crate) async fn value(&self, sql: impl Into<String>) -> Found {
        let row = self.row(sql).await;
        let columns = row.as_object().unwrap();
        assert_eq!(columns.len(), 1, "{row}");
        Found(columns.values().next().unwrap().clone())
    }

    /// The number that is the only value of a query.
    pub(crate) async fn number(&self, sql: impl Into<String>) -> f64 {
        self.value(sql).await.as_f64().unwrap()
    }

    /// The yes or no that is the only value of a query.
    pub(crate) async fn holds(&self, sql: impl Into<String>) -> bool {
        let value = self.value(sql).await;
        assert!(value == true || value == false, "{value} is neither yes nor no");
        value == true
    }

    /// The time that is the only value of a query.
    pub(crate) async fn time(&self, sql: impl Into<String>) -> DateTime<Utc> {
        self.value(sql).await.as_str().unwrap().parse().unwrap()
    }

    /// Whether the stored body is equal to this text for the database: every digit counts.
    pub(crate) async fn body_equals(&self, killmail_id: i64, json: &str) -> bool {
        match &self.connections {
            Connections::Postgres(pool) => postgres::body_equals(pool, killmail_id, json).await,
            Connections::Sqlite(pool) => sqlite::body_equals(pool, killmail_id, json).await,
        }
        .unwrap()
    }

    /// The names of all tables.
    pub(crate) async fn tables(&self) -> Vec<String> {
        match &self.connections {
            Connections::Postgres(pool) => postgres::tables(pool).await,
            Connections::Sqlite(pool) => sqlite::tables(pool).await,
        }
        .unwrap()
    }

    /// Every column of every view: `view`, `name`, `is_binary`.
    pub(crate) async fn columns_of_views(&self) -> Vec<Found> {
        self.rows(match &self.connections {
            Connections::Postgres(_) => postgres::COLUMNS_OF_VIEWS,
            Connections::Sqlite(_) => sqlite::COLUMNS_OF_VIEWS,
        })
        .await
    }

    /// Every row of every table, so that "nothing was written" can be compared.
    pub(crate) async fn contents(&self) -> BTreeMap<String, Vec<String>> {
        let mut contents = BTreeMap::new();
        for table in self.tables().await.into_iter().filter(|table| table != "_sqlx_migrations") {
            let mut rows: Vec<String> =
                self.rows(format!(r#"select * from "{table}""#)).await.iter().map(Found::to_string).collect();
            rows.sort_unstable();
            contents.insert(table, rows);
        }
        contents
    }

    /// Makes a call while somebody else has these statements in a transaction that is still open: the call must wait
    /// for it, and goes on once it is committed.
    pub(crate) async fn while_another_writes<Output>(
        &self,
        statements: &[&'static str],
        call: impl Future<Output = Output>,
    ) -> Output {
        match &self.connections {
            Connections::Postgres(pool) => postgres::while_another_writes(pool, statements, call).await,
            Connections::Sqlite(pool) => sqlite::while_another_writes(pool, statements, call).await,
        }
        .unwrap()
    }

    /// Runs a statement of somebody else to the letter; gives each row as texts, in the order of its columns.
    pub(crate) async fn verbatim(&self, sql: &str) -> Vec<BTreeMap<String, Option<String>>> {
        match &self.connections {
            Connections::Postgres(pool) => postgres::verbatim(pool, sql).await,
            Connections::Sqlite(_) => panic!("what is run to the letter is PostgreSQL's"),
        }
        .unwrap_or_else(|error| panic!("{error} in {sql}"))
    }
}
