//! A test's looks at a PostgreSQL database.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Decode, FromRow, Postgres, Result, Transaction, Type};

use crate::harness::simulator::TrueKillmail;

/// The same database, with the rights of a role instead of the user's own.
pub(super) fn as_role(url: &SecretString, role: &str) -> SecretString {
    let url = url.expose_secret();
    let separator = if url.contains('?') { '&' } else { '?' };
    SecretString::from(format!("{url}{separator}options=-c%20role%3D{role}"))
}

pub(super) async fn execute(pool: &PgPool, sql: &str) -> Result<u64> {
    Ok(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await?.rows_affected())
}

pub(super) async fn hold(pool: &PgPool, sql: &str) -> Result<Transaction<'static, Postgres>> {
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *transaction).await?;
    Ok(transaction)
}

pub(super) async fn value<T>(pool: &PgPool, sql: &str) -> Result<T>
where
    T: for<'row> Decode<'row, Postgres> + Type<Postgres> + Send + Unpin,
{
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(pool).await
}

pub(super) async fn rows<T>(pool: &PgPool, sql: &str) -> Result<Vec<T>>
where
    T: for<'row> FromRow<'row, PgRow> + Send + Unpin,
{
    sqlx::query_as(AssertSqlSafe(sql.to_owned())).fetch_all(pool).await
}

/// Each column of each table.
pub(super) const COLUMNS: &str = "select table_name::text, column_name::text
     from information_schema.columns join information_schema.tables using (table_schema, table_name)
     where table_schema = 'public' and table_type = 'BASE TABLE'";

pub(super) async fn contents(pool: &PgPool) -> Result<BTreeMap<String, Vec<String>>> {
    let tables: Vec<String> =
        sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'").fetch_all(pool).await?;
    let mut contents = BTreeMap::new();
    for table in tables {
        let rows = format!(r#"select t::text as row from "{table}" t order by 1"#);
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(pool).await?;
        contents.insert(table, rows);
    }
    Ok(contents)
}

/// The comparison is PostgreSQL's: `jsonb` with all digits of its numbers.
pub(super) async fn differences(
    pool: &PgPool,
    truth: &[&TrueKillmail],
    extended: &[i64],
) -> Result<Vec<(i64, String)>> {
    let ids: Vec<i64> = truth.iter().map(|killmail| killmail.killmail_id).collect();
    let hashes: Vec<&str> = truth.iter().map(|killmail| killmail.killmail_hash.as_str()).collect();
    let bodies: Vec<&str> = truth.iter().map(|killmail| killmail.body.get()).collect();
    sqlx::query_as(DIFFERENCES).bind(&ids).bind(&hashes).bind(&bodies).bind(extended).fetch_all(pool).await
}

const DIFFERENCES: &str = "
    with expected as (
        select t.killmail_id, t.killmail_hash, t.body::jsonb as body
        from unnest($1::bigint[], $2::text[], $3::text[]) as t (killmail_id, killmail_hash, body)),
    compared as (
        select killmail_id, e.body, k.body as stored, k.killmail_hash <> e.killmail_hash as other_hash,
               k.killmail_time <> (e.body ->> 'killmail_time')::timestamptz as other_time,
               k.solar_system_id <> (e.body ->> 'solar_system_id')::bigint as other_system,
               (select count(*) from killmail_participant p where p.killmail_id = e.killmail_id) as participants
        from expected e join killmail k using (killmail_id))
    select killmail_id,
           case when other_hash then 'hash' when other_time then 'time' when other_system then 'solar system'
                when participants <> 1 + jsonb_array_length(body -> 'attackers') then 'participants'
                else 'body' end
    from compared
    where other_hash or other_time or other_system
       or participants <> 1 + jsonb_array_length(body -> 'attackers')
       or case when killmail_id = any($4) then not stored @> body else stored <> body end";
