//! Who was in a killmail, as the file has it.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::CarryError;
use super::ends::{in_destination, in_source};
use super::killmail::Refused;
use super::table::Table;

#[derive(Debug, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Participant {
    killmail_id: i64,
    participant_index: i32,
    role: String,
    character_id: Option<i64>,
    corporation_id: Option<i64>,
    alliance_id: Option<i64>,
    faction_id: Option<i64>,
    ship_type_id: Option<i64>,
}

pub(super) struct Participants<'a> {
    pub(super) refused: &'a Refused,
}

impl Table for Participants<'_> {
    const NAME: &'static str = "killmail_participant";
    type Row = Participant;
    type Key = (i64, i32);

    fn key(row: &Participant) -> (i64, i32) {
        (row.killmail_id, row.participant_index)
    }

    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&(i64, i32)>,
        rows_max: i64,
    ) -> Result<Vec<Participant>, CarryError> {
        let (killmail_id, participant_index) = after.unwrap_or(&(i64::MIN, i32::MIN));
        let rows = sqlx::query_as(
            "select * from killmail_participant where (killmail_id, participant_index) > (?1, ?2)
             order by killmail_id, participant_index limit ?3",
        )
        .bind(killmail_id)
        .bind(participant_index)
        .bind(rows_max);
        Ok(rows.fetch_all(source).await.map_err(in_source)?)
    }

    fn expected(&self, row: Participant) -> Option<Participant> {
        (!self.refused.contains_key(&row.killmail_id)).then_some(row)
    }

    async fn there(
        &self,
        destination: &mut PgConnection,
        rows: &[Participant],
    ) -> Result<Vec<Participant>, CarryError> {
        let mut ids: Vec<i64> = rows.iter().map(|row| row.killmail_id).collect();
        ids.dedup();
        let there = sqlx::query_as!(
            Participant,
            r#"select killmail_id, participant_index, role, character_id, corporation_id, alliance_id, faction_id,
                      ship_type_id
               from killmail_participant where killmail_id = any($1)"#,
            &ids
        );
        Ok(there.fetch_all(destination).await.map_err(in_destination)?)
    }

    async fn insert(&self, destination: &mut PgConnection, rows: &[Participant]) -> sqlx::Result<u64> {
        let inserted = sqlx::query!(
            r#"insert into killmail_participant
               select r.* from jsonb_populate_recordset(null::killmail_participant, $1) r on conflict do nothing"#,
            Json(rows) as _
        );
        Ok(inserted.execute(destination).await?.rows_affected())
    }
}
