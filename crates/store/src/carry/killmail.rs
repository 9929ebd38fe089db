//! Killmails with their bodies, but for those that PostgreSQL does not take.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use sqlx_sqlite::SqliteConnection;

use super::ends::{in_destination, in_source};
use super::table::{Table, insert_at_once};
use super::{CarryError, RefusedBody};
use crate::StoreError;

#[derive(Debug, PartialEq, sqlx::FromRow)]
pub(super) struct Killmail {
    killmail_id: i64,
    killmail_hash: String,
    killmail_time: DateTime<Utc>,
    solar_system_id: i64,
    /// As the file holds it. PostgreSQL has another text for the same: of that which it holds, this is the file's text if
    /// both are equal as JSON, with every digit, and its own otherwise.
    body: String,
    stored_at: DateTime<Utc>,
}

/// Killmails that are not in the destination because of their bodies, and what it says of them.
pub(super) type Refused = BTreeMap<i64, String>;

impl From<(i64, String)> for RefusedBody {
    fn from((killmail_id, reason): (i64, String)) -> Self {
        Self { killmail_id, reason }
    }
}

#[derive(Default)]
pub(super) struct Killmails {
    pub(super) refused: Refused,
}

impl Table for Killmails {
    const NAME: &'static str = "killmail";
    type Row = Killmail;
    type Key = i64;

    fn key(row: &Killmail) -> i64 {
        row.killmail_id
    }

    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&i64>,
        rows_max: i64,
    ) -> Result<Vec<Killmail>, CarryError> {
        let rows = sqlx::query_as("select * from killmail where killmail_id > ?1 order by killmail_id limit ?2")
            .bind(after.unwrap_or(&i64::MIN))
            .bind(rows_max);
        Ok(rows.fetch_all(source).await.map_err(in_source)?)
    }

    fn expected(&self, row: Killmail) -> Option<Killmail> {
        (!self.refused.contains_key(&row.killmail_id)).then_some(row)
    }

    async fn there(&self, destination: &mut PgConnection, rows: &[Killmail]) -> Result<Vec<Killmail>, CarryError> {
        let ids: Vec<i64> = rows.iter().map(Self::key).collect();
        let bodies: Vec<&str> = rows.iter().map(|row| &*row.body).collect();
        // The database compares, for its numbers keep every digit.
        let there = sqlx::query!(
            r#"select k.killmail_id, k.killmail_hash, k.killmail_time, k.solar_system_id, k.stored_at,
                      case when k.body <> s.body::jsonb then k.body::text end as other_body
               from unnest($1::bigint[], $2::text[]) as s (killmail_id, body) join killmail k using (killmail_id)"#,
            &ids,
            &bodies as _
        )
        .fetch_all(destination)
        .await
        .map_err(in_destination)?;
        let bodies: HashMap<i64, &str> = ids.into_iter().zip(bodies).collect();
        Ok(there
            .into_iter()
            .map(|row| Killmail {
                killmail_id: row.killmail_id,
                killmail_hash: row.killmail_hash,
                killmail_time: row.killmail_time,
                solar_system_id: row.solar_system_id,
                body: row.other_body.unwrap_or_else(|| bodies[&row.killmail_id].to_owned()),
                stored_at: row.stored_at,
            })
            .collect())
    }

    async fn keys_there(&self, destination: &mut PgConnection, rows: &[Killmail]) -> Result<BTreeSet<i64>, CarryError> {
        let ids: Vec<i64> = rows.iter().map(Self::key).collect();
        let there = sqlx::query_scalar!("select killmail_id from killmail where killmail_id = any($1)", &ids);
        Ok(there.fetch_all(destination).await.map_err(in_destination)?.into_iter().collect())
    }

    async fn insert(&self, destination: &mut PgConnection, rows: &[Killmail]) -> sqlx::Result<u64> {
        let ids: Vec<i64> = rows.iter().map(Self::key).collect();
        let hashes: Vec<&str> = rows.iter().map(|row| &*row.killmail_hash).collect();
        let times: Vec<DateTime<Utc>> = rows.iter().map(|row| row.killmail_time).collect();
        let solar_systems: Vec<i64> = rows.iter().map(|row| row.solar_system_id).collect();
        let bodies: Vec<&str> = rows.iter().map(|row| &*row.body).collect();
        let stored: Vec<DateTime<Utc>> = rows.iter().map(|row| row.stored_at).collect();
        let inserted = sqlx::query!(
            r#"insert into killmail (killmail_id, killmail_hash, killmail_time, solar_system_id, body, stored_at)
               select killmail_id, killmail_hash, killmail_time, solar_system_id, body::jsonb, stored_at
               from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::text[], $6::timestamptz[])
                    as k (killmail_id, killmail_hash, killmail_time, solar_system_id, body, stored_at)
               on conflict do nothing"#,
            &ids,
            &hashes as _,
            &times,
            &solar_systems,
            &bodies as _,
            &stored
        );
        Ok(inserted.execute(destination).await?.rows_affected())
    }

    /// A body that is not taken spoils its batch: this is halved until the body stands alone.
    async fn add(&mut self, destination: &PgPool, rows: &[Killmail]) -> Result<u64, StoreError> {
        let mut added = 0;
        let mut batches = vec![rows];
        while let Some(batch) = batches.pop() {
            match (insert_at_once(self, destination, batch).await, batch) {
                (Ok(rows), _) => added += rows,
                (Err(error), [row]) if is_about_the_data(&error) => {
                    let failure = StoreError::during("storing a killmail")(error).failure();
                    self.refused.insert(row.killmail_id, failure.reason);
                }
                (Err(error), batch) if is_about_the_data(&error) => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    batches.extend([right, left]);
                }
                (Err(error), _) => return Err(in_destination(error)),
            }
        }
        Ok(added)
    }
}

/// A text or a number that the types of PostgreSQL do not hold, or a nesting that it does not read to the end:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn is_about_the_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("54"))
}
