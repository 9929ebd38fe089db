use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::{ArchivedKillmail, References};
pub(super) use crate::detail_job::sqlite::add_participants;
use crate::sqlite::{now_text, text};

/// Those without a body, or with a reference that somebody may still act on.
pub(super) async fn unsettled(connection: &mut SqliteConnection, ids: &[i64]) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "select a.value from json_each(?1) a
         where not exists (select 1 from killmail where killmail_id = a.value)
            or not exists (select 1 from killmail_ref where killmail_id = a.value and state = 'stored')
         order by 1",
    )
    .bind(Json(ids))
    .fetch_all(connection)
    .await
}

/// As one JSON text, which is how a statement gets many rows.
fn json((ids, hashes): &References) -> Json<Vec<(i64, &String)>> {
    Json(ids.iter().copied().zip(hashes).collect())
}

pub(super) async fn add_references(connection: &mut SqliteConnection, references: &References) -> Result<()> {
    sqlx::query(
        "insert into killmail_ref (killmail_id, killmail_hash, state, due_at, first_seen_at)
         select value ->> 0, value ->> 1, 'stored', ?2, ?2 from json_each(?1) where true on conflict do nothing",
    )
    .bind(json(references))
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

/// A reference that was given up gets its body whatever its hash was: that hash has led to none.
pub(super) async fn settle_references(connection: &mut SqliteConnection, references: &References) -> Result<()> {
    sqlx::query(
        "update killmail_ref
         set state = 'stored', killmail_hash = a.value ->> 1, hinted_at = null, lease_until = null,
             attempt = 0, refusals = 0, last_reason = null
         from json_each(?1) a
         where killmail_id = a.value ->> 0
           and (state in ('invalid', 'parked') or state = 'wanted' and killmail_hash = a.value ->> 1)",
    )
    .bind(json(references))
    .execute(connection)
    .await
    .map(|_| ())
}

/// Gives those that were added.
pub(super) async fn add_killmails(
    connection: &mut SqliteConnection,
    killmails: &[&ArchivedKillmail<'_>],
) -> Result<Vec<i64>> {
    let rows: Vec<_> = killmails
        .iter()
        .map(|ArchivedKillmail { reference, killmail }| {
            let (id, hash) = (reference.killmail_id.get(), reference.killmail_hash.as_str());
            (id, hash, text(killmail.killmail_time), killmail.solar_system_id, killmail.json)
        })
        .collect();
    sqlx::query_scalar(
        "insert into killmail (killmail_id, killmail_hash, killmail_time, solar_system_id, body, stored_at)
         select a.value ->> 0, a.value ->> 1, a.value ->> 2, a.value ->> 3, a.value ->> 4, ?2
         from json_each(?1) a
         join killmail_ref r on r.killmail_id = a.value ->> 0 and r.killmail_hash = a.value ->> 1
         where r.state = 'stored'
         on conflict do nothing
         returning killmail_id",
    )
    .bind(Json(rows))
    .bind(now_text())
    .fetch_all(connection)
    .await
}

/// With the hashes of their references.
pub(super) async fn not_stored(connection: &mut SqliteConnection, ids: &[i64]) -> Result<Vec<(i64, String)>> {
    sqlx::query_as(
        "select killmail_id, killmail_hash from killmail_ref r
         where killmail_id in (select value from json_each(?1))
           and not exists (select 1 from killmail k where k.killmail_id = r.killmail_id)
         order by killmail_id",
    )
    .bind(Json(ids))
    .fetch_all(connection)
    .await
}
