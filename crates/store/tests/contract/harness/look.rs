//! Small looks at rows, and writing times into them. The only SQL dialect of the suite is in the texts given here.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Column, Postgres, Row, Transaction};

use super::Database;

/// Somebody else's transaction that is still open.
pub(crate) struct Uncommitted(Transaction<'static, Postgres>);

impl Uncommitted {
    pub(crate) async fn commit(self) {
        self.0.commit().await.unwrap();
    }
}

impl Database {
    /// Runs one statement; gives the number of rows that it touched.
    pub(crate) async fn run(&self, sql: impl Into<String>) -> u64 {
        let sql = sql.into();
        let done = sqlx::query(AssertSqlSafe(sql.clone())).execute(&self.pool).await;
        done.unwrap_or_else(|error| panic!("{error} in {sql}")).rows_affected()
    }

    /// Runs statements as somebody else who has not committed them yet.
    pub(crate) async fn uncommitted(&self, statements: impl IntoIterator<Item = &'static str>) -> Uncommitted {
        let mut transaction = self.pool.begin().await.unwrap();
        for statement in statements {
            sqlx::query(statement).execute(&mut *transaction).await.unwrap();
        }
        Uncommitted(transaction)
    }

    /// Returns when some statement in this database waits for a lock.
    pub(crate) async fn somebody_waits(&self) {
        let waits = "select exists (select from pg_stat_activity
                                    where datname = current_database() and wait_event_type = 'Lock')";
        while !self.holds(waits).await {
            tokio::task::yield_now().await;
        }
    }

    /// The rows of a query, each as an object.
    pub(crate) async fn rows(&self, sql: impl Into<String>) -> Vec<Value> {
        let sql = sql.into();
        let rows = sqlx::query_scalar(AssertSqlSafe(format!("select to_jsonb(r) from ({sql}) r")));
        rows.fetch_all(&self.pool).await.unwrap_or_else(|error| panic!("{error} in {sql}"))
    }

    /// The one row of a query.
    pub(crate) async fn row(&self, sql: impl Into<String>) -> Value {
        let mut rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// The one column of the one row of a query.
    pub(crate) async fn value(&self, sql: impl Into<String>) -> Value {
        match self.row(sql).await {
            Value::Object(row) if row.len() == 1 => row.into_values().next().unwrap(),
            other => panic!("one column was asked for, not {other}"),
        }
    }

    /// The number that is the only value of a query.
    pub(crate) async fn number(&self, sql: impl Into<String>) -> f64 {
        self.value(sql).await.as_f64().unwrap()
    }

    /// The yes or no that is the only value of a query.
    pub(crate) async fn holds(&self, sql: impl Into<String>) -> bool {
        self.value(sql).await.as_bool().unwrap()
    }

    /// Whether the database takes this text to be equal to the stored body: every digit counts.
    pub(crate) async fn body_equals(&self, killmail_id: i64, json: &str) -> bool {
        sqlx::query_scalar("select body = $2::text::jsonb from killmail where killmail_id = $1")
            .bind(killmail_id)
            .bind(json)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Every row of every table, so that "nothing was written" can be compared.
    pub(crate) async fn contents(&self) -> BTreeMap<String, Vec<String>> {
        let tables: Vec<String> = sqlx::query_scalar(
            "select table_name::text from information_schema.tables
             where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> '_sqlx_migrations'",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let mut contents = BTreeMap::new();
        for table in tables {
            let sql = format!(r#"select to_jsonb(t)::text from "{table}" t order by 1"#);
            let rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&self.pool).await.unwrap();
            contents.insert(table, rows);
        }
        contents
    }

    /// Runs a statement of somebody else to the letter; gives each row as texts, in the order of its columns.
    pub(crate) async fn verbatim(&self, sql: &str) -> Vec<BTreeMap<String, Option<String>>> {
        // Without the extended protocol all values come as text, of whatever type they are.
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&self.pool).await;
        let rows = rows.unwrap_or_else(|error| panic!("{error} in {sql}"));
        let text = |row: &sqlx::postgres::PgRow, index: usize| {
            row.try_get_raw(index).unwrap().as_str().ok().map(str::to_owned)
        };
        rows.iter()
            .map(|row| {
                let columns =
                    row.columns().iter().map(|column| (column.name().to_owned(), text(row, column.ordinal())));
                columns.collect()
            })
            .collect()
    }
}
