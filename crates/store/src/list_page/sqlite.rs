use std::time::Duration;

use domain::ListOwner;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Result};
use sqlx_sqlite::SqliteConnection;

use super::References;
use crate::lease;
use crate::list_job::ListClaim;
use crate::list_table::table_of;
use crate::sqlite::{earlier, later, now_text};

pub(super) async fn renew(connection: &mut SqliteConnection, claim: &ListClaim, lives_for: Duration) -> Result<bool> {
    let list = table_of(claim.owner);
    let renewed = sqlx::query(AssertSqlSafe(format!(
        "update {list} set lease_until = ?3, list_expires_at = max(coalesce(list_expires_at, ''), ?4)
         where {list}_id = ?1 and fence = ?2 and lease_until is not null"
    )))
    .bind(claim.owner.id())
    .bind(claim.fence)
    .bind(later(lease::LIST))
    .bind(later(lives_for));
    Ok(renewed.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn go_on_at(connection: &mut SqliteConnection, owner: ListOwner, next_page: i32) -> Result<()> {
    let list = table_of(owner);
    sqlx::query(AssertSqlSafe(format!("update {list} set resume_page = ?2, list_etag = null where {list}_id = ?1")))
        .bind(owner.id())
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

pub(super) async fn add_to_list(connection: &mut SqliteConnection, owner: ListOwner, ids: &[i64]) -> Result<u64> {
    let list = table_of(owner);
    let added = sqlx::query(AssertSqlSafe(format!(
        "insert into {list}_killmail ({list}_id, killmail_id)
         select ?1, value from json_each(?2) where true on conflict do nothing"
    )))
    .bind(owner.id())
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

pub(super) async fn etag(connection: &mut SqliteConnection, owner: ListOwner, page: i32) -> Result<Option<String>> {
    let list = table_of(owner);
    sqlx::query_scalar(AssertSqlSafe(format!("select etag from {list}_list_page where {list}_id = ?1 and page = ?2")))
        .bind(owner.id())
        .bind(page)
        .fetch_optional(connection)
        .await
}

pub(super) async fn set_etag(connection: &mut SqliteConnection, owner: ListOwner, page: i32, etag: &str) -> Result<()> {
    let list = table_of(owner);
    sqlx::query(AssertSqlSafe(format!(
        "insert into {list}_list_page ({list}_id, page, etag) values (?1, ?2, ?3)
         on conflict do update set etag = excluded.etag"
    )))
    .bind(owner.id())
    .bind(page)
    .bind(etag)
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn forget_etag(connection: &mut SqliteConnection, owner: ListOwner, page: i32) -> Result<()> {
    let list = table_of(owner);
    sqlx::query(AssertSqlSafe(format!("delete from {list}_list_page where {list}_id = ?1 and page = ?2")))
        .bind(owner.id())
        .bind(page)
        .execute(connection)
        .await
        .map(|_| ())
}
