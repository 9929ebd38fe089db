//! A test's looks at a SQLite file, on connections of its own as another process would have them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use sqlx::{AssertSqlSafe, Column, Decode, FromRow, Result, Row, Transaction, Type, TypeInfo, ValueRef};
use sqlx_sqlite::{Sqlite, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};

use super::dialect;
use crate::harness::simulator::TrueKillmail;

pub(super) fn connect(url: &str) -> SqlitePool {
    let path = url.strip_prefix("sqlite:").expect("the URL of a file");
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(30));
    SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options)
}

#[expect(clippy::disallowed_methods, reason = "the clock of a file is that of the machine")]
fn translated(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(dialect::sqlite(sql, &Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)))
}

pub(super) async fn execute(pool: &SqlitePool, sql: &str) -> Result<u64> {
    Ok(sqlx::raw_sql(translated(sql)).execute(pool).await?.rows_affected())
}

pub(super) async fn hold(pool: &SqlitePool, sql: &str) -> Result<Transaction<'static, Sqlite>> {
    let mut transaction = pool.begin_with("begin immediate").await?;
    sqlx::raw_sql(translated(sql)).execute(&mut *transaction).await?;
    Ok(transaction)
}

pub(super) async fn value<T>(pool: &SqlitePool, sql: &str) -> Result<T>
where
    T: for<'row> Decode<'row, Sqlite> + Type<Sqlite> + Send + Unpin,
{
    sqlx::query_scalar(translated(sql)).fetch_one(pool).await
}

pub(super) async fn rows<T>(pool: &SqlitePool, sql: &str) -> Result<Vec<T>>
where
    T: for<'row> FromRow<'row, SqliteRow> + Send + Unpin,
{
    sqlx::query_as(translated(sql)).fetch_all(pool).await
}

/// Each column of each table.
pub(super) const COLUMNS: &str = "select t.name, c.name from sqlite_schema t join pragma_table_info(t.name) c
     where t.type = 'table'";

pub(super) async fn contents(pool: &SqlitePool) -> Result<BTreeMap<String, Vec<String>>> {
    let tables = r"select name from sqlite_schema where type = 'table' and name not like 'sqlite\_%' escape '\'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(pool).await?;
    let mut contents = BTreeMap::new();
    for table in tables {
        let rows = sqlx::query(AssertSqlSafe(format!(r#"select * from "{table}""#))).fetch_all(pool).await?;
        let mut rows: Vec<String> = rows.iter().map(text).collect::<Result<_>>()?;
        rows.sort_unstable();
        contents.insert(table, rows);
    }
    Ok(contents)
}

/// All columns; bytes in hexadecimal digits.
fn text(row: &SqliteRow) -> Result<String> {
    let mut columns = Vec::new();
    for column in row.columns() {
        let (index, raw) = (column.ordinal(), row.try_get_raw(column.ordinal())?);
        let value = match raw.type_info().name() {
            _ if raw.is_null() => "null".to_owned(),
            "INTEGER" => row.try_get_unchecked::<i64, _>(index)?.to_string(),
            "REAL" => row.try_get_unchecked::<f64, _>(index)?.to_string(),
            "BLOB" => hexadecimal(&row.try_get_unchecked::<Vec<u8>, _>(index)?),
            _ => row.try_get_unchecked::<String, _>(index)?,
        };
        columns.push(format!("{}={value}", column.name()));
    }
    Ok(columns.join(" "))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes everything");
        text
    })
}

#[derive(FromRow)]
struct Stored {
    killmail_id: i64,
    killmail_hash: String,
    killmail_time: String,
    solar_system_id: i64,
    body: String,
    participants: i64,
}

/// The file keeps the very text of a body, so the comparison is to the letter.
pub(super) async fn differences(
    pool: &SqlitePool,
    truth: &[&TrueKillmail],
    extended: &[i64],
) -> Result<Vec<(i64, String)>> {
    let stored: Vec<Stored> = sqlx::query_as(
        "select killmail_id, killmail_hash, killmail_time, solar_system_id, body,
                (select count(*) from killmail_participant p where p.killmail_id = k.killmail_id) as participants
         from killmail k",
    )
    .fetch_all(pool)
    .await?;
    let stored: BTreeMap<i64, Stored> = stored.into_iter().map(|stored| (stored.killmail_id, stored)).collect();
    let differences = truth.iter().filter_map(|killmail| {
        let difference = difference(&stored[&killmail.killmail_id], killmail, extended)?;
        Some((killmail.killmail_id, difference.to_owned()))
    });
    Ok(differences.collect())
}

fn difference(stored: &Stored, truth: &TrueKillmail, extended: &[i64]) -> Option<&'static str> {
    let body: serde_json::Value = serde_json::from_str(truth.body.get()).expect("a body is JSON");
    let time = body["killmail_time"].as_str().expect("a killmail has a time").trim_end_matches('Z');
    let attackers = body["attackers"].as_array().expect("a killmail has attackers");
    if stored.killmail_hash != truth.killmail_hash {
        Some("hash")
    } else if stored.killmail_time != format!("{time}.000000Z") {
        Some("time")
    } else if Some(stored.solar_system_id) != body["solar_system_id"].as_i64() {
        Some("solar system")
    } else if stored.participants != 1 + attackers.len() as i64 {
        Some("participants")
    } else if extended.contains(&stored.killmail_id) {
        let stored = serde_json::from_str(&stored.body).expect("the database takes nothing but JSON");
        (!holds(&stored, &body)).then_some("body")
    } else {
        (stored.body != truth.body.get()).then_some("body")
    }
}

/// Whether the one has everything that the other has.
fn holds(extended: &serde_json::Value, body: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object};
    match (extended, body) {
        (Object(extended), Object(body)) => {
            body.iter().all(|(name, value)| extended.get(name).is_some_and(|extended| holds(extended, value)))
        }
        (Array(extended), Array(body)) => {
            extended.len() == body.len() && extended.iter().zip(body).all(|(extended, value)| holds(extended, value))
        }
        (extended, body) => extended == body,
    }
}
