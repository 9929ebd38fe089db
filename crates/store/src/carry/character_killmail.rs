//! Whose list has shown which killmail.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx_sqlite::SqliteConnection;

use super::CarryError;
use super::ends::{in_destination, in_source};
use super::table::Table;

#[derive(Debug, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Listed {
    character_id: i64,
    killmail_id: i64,
}

pub(super) struct Lists;

impl Table for Lists {
    const NAME: &'static str = "character_killmail";
    type Row = Listed;
    type Key = (i64, i64);

    fn key(row: &Listed) -> (i64, i64) {
        (row.character_id, row.killmail_id)
    }

    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&(i64, i64)>,
        rows_max: i64,
    ) -> Result<Vec<Listed>, CarryError> {
        let (character_id, killmail_id) = after.unwrap_or(&(i64::MIN, i64::MIN));
        let rows = sqlx::query_as(
            "select * from character_killmail where (character_id, killmail_id) > (?1, ?2)
             order by character_id, killmail_id limit ?3",
        )
        .bind(character_id)
        .bind(killmail_id)
        .bind(rows_max);
        Ok(rows.fetch_all(source).await.map_err(in_source)?)
    }

    async fn there(&self, destination: &mut PgConnection, rows: &[Listed]) -> Result<Vec<Listed>, CarryError> {
        let (characters, killmails): (Vec<i64>, Vec<i64>) = rows.iter().map(Self::key).unzip();
        let there = sqlx::query_as!(
            Listed,
            r#"select k.character_id, k.killmail_id
               from unnest($1::bigint[], $2::bigint[]) as s (character_id, killmail_id)
               join character_killmail k using (character_id, killmail_id)"#,
            &characters,
            &killmails
        );
        Ok(there.fetch_all(destination).await.map_err(in_destination)?)
    }

    async fn insert(&self, destination: &mut PgConnection, rows: &[Listed]) -> sqlx::Result<u64> {
        let (characters, killmails): (Vec<i64>, Vec<i64>) = rows.iter().map(Self::key).unzip();
        let inserted = sqlx::query!(
            r#"insert into character_killmail (character_id, killmail_id)
               select * from unnest($1::bigint[], $2::bigint[]) on conflict do nothing"#,
            &characters,
            &killmails
        );
        Ok(inserted.execute(destination).await?.rows_affected())
    }
}
