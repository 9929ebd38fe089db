//! A test's looks at a PostgreSQL database.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Column, Result, Row};

/// The same database, with the rights of a role instead of the user's own.
pub(crate) fn as_role(url: &SecretString, role: &str) -> SecretString {
    let url = url.expose_secret();
    let separator = if url.contains('?') { '&' } else { '?' };
    SecretString::from(format!("{url}{separator}options=-c%20role%3D{role}"))
}

pub(super) async fn connect(url: &str) -> Result<PgPool> {
    PgPoolOptions::new().max_connections(2).connect(url).await
}

pub(super) async fn run(pool: &PgPool, sql: String) -> Result<u64> {
    Ok(sqlx::query(AssertSqlSafe(sql)).execute(pool).await?.rows_affected())
}

pub(super) async fn rows(pool: &PgPool, sql: &str) -> Result<Vec<Value>> {
    sqlx::query_scalar(AssertSqlSafe(format!("select to_jsonb(r) from ({sql}) r"))).fetch_all(pool).await
}

pub(super) async fn tables(pool: &PgPool) -> Result<Vec<String>> {
    sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'").fetch_all(pool).await
}

pub(super) const COLUMNS_OF_VIEWS: &str =
    "select v.table_name as view, c.column_name as name, c.data_type = 'bytea' as is_binary
     from information_schema.columns c join information_schema.views v using (table_schema, table_name)
     where table_schema = 'public'";

pub(super) async fn body_equals(pool: &PgPool, killmail_id: i64, json: &str) -> Result<bool> {
    let equals = sqlx::query_scalar("select body = $2::text::jsonb from killmail where killmail_id = $1");
    equals.bind(killmail_id).bind(json).fetch_one(pool).await
}

pub(super) async fn while_another_writes<Output>(
    pool: &PgPool,
    statements: &[&'static str],
    call: impl Future<Output = Output>,
) -> Result<Output> {
    let mut transaction = pool.begin().await?;
    for statement in statements {
        sqlx::query(*statement).execute(&mut *transaction).await?;
    }
    let (output, committed) = tokio::join!(call, async {
        while !somebody_waits(pool).await? {
            tokio::task::yield_now().await;
        }
        transaction.commit().await
    });
    committed.map(|()| output)
}

/// Whether some statement in this database waits for a lock.
async fn somebody_waits(pool: &PgPool) -> Result<bool> {
    let waits = "select exists (select from pg_stat_activity
                                where datname = current_database() and wait_event_type = 'Lock')";
    sqlx::query_scalar(waits).fetch_one(pool).await
}

pub(super) async fn verbatim(pool: &PgPool, sql: &str) -> Result<Vec<BTreeMap<String, Option<String>>>> {
    // Without the extended protocol all values come as text, of whatever type they are.
    let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(pool).await?;
    let text = |row: &PgRow, index: usize| row.try_get_raw(index).unwrap().as_str().ok().map(str::to_owned);
    Ok(rows
        .iter()
        .map(|row| row.columns().iter().map(|column| (column.name().to_owned(), text(row, column.ordinal()))).collect())
        .collect())
}
