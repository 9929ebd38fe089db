use std::time::Duration;

use domain::CharacterId;
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::References;
use crate::lease;
use crate::list_job::ListClaim;
use crate::sqlite::{earlier, later, now_text};

pub(super) async fn renew(connection: &mut SqliteConnection, claim: &ListClaim, lives_for: Duration) -> Result<bool> {
    let renewed = sqlx::query(
        "update character set lease_until = ?3, list_expires_at = max(coalesce(list_expires_at, ''), ?4)
         where character_id = ?1 and fence = ?2 and lease_until is not null",
    )
    .bind(claim.character_id.get())
    .bind(claim.fence)
    .bind(later(lease::LIST))
    .bind(later(lives_for));
    Ok(renewed.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn go_on_at(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    next_page: i32,
) -> Result<()> {
    sqlx::query("update character set resume_page = ?2, list_etag = null where character_id = ?1")
        .bind(character_id.get())
        .bind(next_page)
        .execute(connection)
        .await
        .map(|_| ())
}

/// As one JSON text, which is how a statement gets many rows.
fn json((ids, hashes): &References) -> Json<Vec<(i64, &String)>> {
    Json(ids.iter().copied().zip(hashes).collect())
}

pub(super) async fn add_references(connection: &mut SqliteConnection, references: &References) -> Result<()> {
    sqlx::query(
        "insert into killmail_ref (killmail_id, killmail_hash, due_at, first_seen_at)
         select value ->> 0, value ->> 1, ?2, ?2 from json_each(?1) where true on conflict do nothing",
    )
    .bind(json(references))
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn revive_references(connection: &mut SqliteConnection, references: &References) -> Result<()> {
    sqlx::query(
        "update killmail_ref
         set killmail_hash = listed.value ->> 1, state = 'wanted', due_at = ?2, attempt = 0, refusals = 0
         from json_each(?1) listed
         where killmail_id = listed.value ->> 0 and state in ('invalid', 'parked')
           and killmail_hash <> listed.value ->> 1",
    )
    .bind(json(references))
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn add_to_list(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    ids: &[i64],
) -> Result<u64> {
    let added = sqlx::query(
        "insert into character_killmail (character_id, killmail_id)
         select ?1, value from json_each(?2) where true on conflict do nothing",
    )
    .bind(character_id.get())
    .bind(Json(ids));
    Ok(added.execute(connection).await?.rows_affected())
}

pub(super) async fn hint_free(connection: &mut SqliteConnection, ids: &[i64]) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "update killmail_ref set hinted_at = ?2
         where killmail_id in (select value from json_each(?1)) and state = 'wanted' and due_at <= ?2
           and (hinted_at is null or hinted_at <= ?3)
           and (lease_until is null or lease_until <= ?2)
         returning killmail_id",
    )
    .bind(Json(ids))
    .bind(now_text())
    .bind(earlier(lease::HINT_STALE_AFTER))
    .fetch_all(connection)
    .await
}
