//! KillReport's logins, read out of its own database.
//!
//! Facts from its schema (github.com/umutyerebakmaz/killreport, `backend/prisma`, migrations of 2025-10-28 to 2026-10-01):
//! PostgreSQL; table `users`, before 2025-10-29 `"User"`; `character_id` integer and unique, `character_name`, `access_token`
//! text, `refresh_token` text or null, `expires_at` timestamp(3) without time zone, in UTC. Later migrations have added
//! columns that do not matter here, and an operator may have changed types: so every column is read as text, by its name,
//! and one that is not there reads as null. These are the only statements that the compiler cannot check: the table is
//! another program's.

use chrono::{DateTime, NaiveDateTime, Utc};
use secrecy::SecretString;
use sqlx::Row;
use sqlx::postgres::{PgPool, PgRow};
use thiserror::Error;

use crate::{StoreError, postgres};

/// A row of its table, as it stands there. Empty texts read as none.
#[derive(Debug)]
pub struct KillReportUser {
    /// Its own `id`, to name the row by.
    pub row: Option<String>,
    pub character_id: Option<String>,
    pub character_name: Option<String>,
    pub access_token: Option<SecretString>,
    pub refresh_token: Option<SecretString>,
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Error)]
pub enum KillReportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("it holds no table \"users\" with refresh tokens, as KillReport has it")]
    NoTable,
}

macro_rules! users_of {
    ($table:literal) => {
        concat!(
            "select j ->> 'id', j ->> 'character_id', j ->> 'character_name', j ->> 'access_token', \
                    j ->> 'refresh_token', j ->> 'expires_at' \
             from (select to_jsonb(u) as j from ",
            $table,
            " u) u order by j ->> 'id'"
        )
    };
}

/// By the names that the table has had, the present one first.
const TABLES: [(&str, &str); 2] = [("users", users_of!("users")), (r#""User""#, users_of!(r#""User""#))];

/// All rows; a thousand of them are some 2 MB. Nothing is written there.
///
/// # Errors
/// [`KillReportError::NoTable`]; the database cannot be reached or read.
pub async fn users(url: &SecretString, process: &str) -> Result<Vec<KillReportUser>, KillReportError> {
    let pool = postgres::connect(url, process, 1).await?;
    let users = read(&pool).await;
    pool.close().await;
    users.map_err(StoreError::during("reading KillReport's users"))?.ok_or(KillReportError::NoTable)
}

/// None when no table is there.
async fn read(pool: &PgPool) -> sqlx::Result<Option<Vec<KillReportUser>>> {
    let mut transaction = pool.begin().await?;
    sqlx::query("set transaction read only").execute(&mut *transaction).await?;
    for (table, statement) in TABLES {
        let has_tokens = "select exists (select from pg_attribute
                                         where attrelid = to_regclass($1) and attname = 'refresh_token')";
        if sqlx::query_scalar(has_tokens).bind(table).fetch_one(&mut *transaction).await? {
            let rows = sqlx::query(statement).fetch_all(&mut *transaction).await?;
            return rows.iter().map(user).collect::<sqlx::Result<_>>().map(Some);
        }
    }
    Ok(None)
}

fn user(row: &PgRow) -> sqlx::Result<KillReportUser> {
    let text = |column: usize| -> sqlx::Result<Option<String>> {
        let value: Option<String> = row.try_get(column)?;
        Ok(value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    };
    Ok(KillReportUser {
        row: text(0)?,
        character_id: text(1)?,
        character_name: text(2)?,
        access_token: text(3)?.map(SecretString::from),
        refresh_token: text(4)?.map(SecretString::from),
        expires_at: text(5)?.and_then(|text| time(&text)),
    })
}

/// With a zone if the column has one; without one it is UTC.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|at| at.with_timezone(&Utc));
    zoned.or_else(|_| text.parse::<NaiveDateTime>().map(|at| at.and_utc())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        let noon = DateTime::from_timestamp(1_795_176_000, 0).unwrap();
        for text in
            ["2026-11-20T12:00:00", "2026-11-20T12:00:00.000", "2026-11-20T12:00:00+00:00", "2026-11-20T15:00:00+03:00"]
        {
            assert_eq!(time(text), Some(noon), "{text}");
        }
        for text in ["infinity", "", "soon"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
