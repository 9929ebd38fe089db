//! Whose list has shown which killmail.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx_sqlite::SqliteConnection;

use super::CarryError;
use super::ends::{in_destination, in_source};
use super::table::Table;

#[derive(Debug, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Listed {
    owner_id: i64,
    killmail_id: i64,
}

pub(super) struct ListsOfCharacters;
pub(super) struct ListsOfCorporations;

macro_rules! lists {
    ($lists:ty, $owner:literal) => {
        impl Table for $lists {
            const NAME: &'static str = concat!($owner, "_killmail");
            type Row = Listed;
            type Key = (i64, i64);

            fn key(row: &Listed) -> (i64, i64) {
                (row.owner_id, row.killmail_id)
            }

            async fn page(
                &self,
                source: &mut SqliteConnection,
                after: Option<&(i64, i64)>,
                rows_max: i64,
            ) -> Result<Vec<Listed>, CarryError> {
                let (owner_id, killmail_id) = after.unwrap_or(&(i64::MIN, i64::MIN));
                let rows = sqlx::query_as(concat!(
                    "select ",
                    $owner,
                    "_id as owner_id, killmail_id from ",
                    $owner,
                    "_killmail
                     where (",
                    $owner,
                    "_id, killmail_id) > (?1, ?2) order by 1, 2 limit ?3"
                ))
                .bind(owner_id)
                .bind(killmail_id)
                .bind(rows_max);
                Ok(rows.fetch_all(source).await.map_err(in_source)?)
            }

            async fn there(&self, destination: &mut PgConnection, rows: &[Listed]) -> Result<Vec<Listed>, CarryError> {
                let (owners, killmails): (Vec<i64>, Vec<i64>) = rows.iter().map(Self::key).unzip();
                let there = sqlx::query_as!(
                    Listed,
                    "select k."
                        + $owner
                        + "_id as owner_id, k.killmail_id
                     from unnest($1::bigint[], $2::bigint[]) as s ("
                        + $owner
                        + "_id, killmail_id)
                     join "
                        + $owner
                        + "_killmail k using ("
                        + $owner
                        + "_id, killmail_id)",
                    &owners,
                    &killmails
                );
                Ok(there.fetch_all(destination).await.map_err(in_destination)?)
            }

            async fn insert(&self, destination: &mut PgConnection, rows: &[Listed]) -> sqlx::Result<u64> {
                let (owners, killmails): (Vec<i64>, Vec<i64>) = rows.iter().map(Self::key).unzip();
                let inserted = sqlx::query!(
                    "insert into "
                        + $owner
                        + "_killmail ("
                        + $owner
                        + "_id, killmail_id)
                     select * from unnest($1::bigint[], $2::bigint[]) on conflict do nothing",
                    &owners,
                    &killmails
                );
                Ok(inserted.execute(destination).await?.rows_affected())
            }
        }
    };
}
lists!(ListsOfCharacters, "character");
lists!(ListsOfCorporations, "corporation");
