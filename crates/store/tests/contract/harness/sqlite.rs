//! A test's looks at a SQLite file, on connections of its own as another process would have them.

use std::fmt::Write;
use std::pin::pin;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Column, Result, Row, TypeInfo, ValueRef};
use sqlx_sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};

use super::dialect;

/// A call that has not come back after this long waits.
const WAITS_FOR: Duration = Duration::from_millis(200);

pub(super) async fn connect(url: &str) -> Result<SqlitePool> {
    let path = url.strip_prefix("sqlite:").expect("the URL of a file");
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(30));
    SqlitePoolOptions::new().max_connections(2).connect_with(options).await
}

#[expect(clippy::disallowed_methods, reason = "the clock of a file is that of the machine")]
fn translated(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(dialect::sqlite(sql, &Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)))
}

pub(super) async fn run(pool: &SqlitePool, sql: &str) -> Result<u64> {
    Ok(sqlx::query(translated(sql)).execute(pool).await?.rows_affected())
}

pub(super) async fn rows(pool: &SqlitePool, sql: &str) -> Result<Vec<Value>> {
    let rows = sqlx::query(translated(sql)).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            row.columns().iter().map(|column| Ok((column.name().to_owned(), value(row, column.ordinal())?))).collect()
        })
        .collect()
}

/// Bytes are shown as PostgreSQL shows them.
fn value(row: &SqliteRow, index: usize) -> Result<Value> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let storage_class = raw.type_info().name().to_owned();
    Ok(match storage_class.as_str() {
        "INTEGER" => row.try_get_unchecked::<i64, _>(index)?.into(),
        "REAL" => row.try_get_unchecked::<f64, _>(index)?.into(),
        "BLOB" => row
            .try_get_unchecked::<Vec<u8>, _>(index)?
            .iter()
            .fold(String::from("\\x"), |mut text, byte| {
                write!(text, "{byte:02x}").expect("a text takes everything");
                text
            })
            .into(),
        _ => row.try_get_unchecked::<String, _>(index)?.into(),
    })
}

pub(super) async fn tables(pool: &SqlitePool) -> Result<Vec<String>> {
    let tables = r"select name from sqlite_schema where type = 'table' and name not like 'sqlite\_%' escape '\'";
    sqlx::query_scalar(tables).fetch_all(pool).await
}

pub(super) const COLUMNS_OF_VIEWS: &str = "select v.name as view, c.name as name, c.type = 'BLOB' as is_binary
     from sqlite_schema v join pragma_table_info(v.name) c where v.type = 'view'";

/// The file keeps the very text, and so every digit.
pub(super) async fn body_equals(pool: &SqlitePool, killmail_id: i64, json: &str) -> Result<bool> {
    let equals = sqlx::query_scalar("select body = ?2 from killmail where killmail_id = ?1");
    equals.bind(killmail_id).bind(json).fetch_one(pool).await
}

pub(super) async fn while_another_writes<Output>(
    pool: &SqlitePool,
    statements: &[&'static str],
    call: impl Future<Output = Output>,
) -> Result<Output> {
    let mut transaction = pool.begin_with("begin immediate").await?;
    for statement in statements {
        sqlx::query(translated(statement)).execute(&mut *transaction).await?;
    }
    let mut call = pin!(call);
    let waited = tokio::time::timeout(WAITS_FOR, &mut call).await.is_err();
    assert!(waited, "it has come back while another wrote");
    transaction.commit().await?;
    Ok(call.await)
}
