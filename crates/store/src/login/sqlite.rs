use std::time::Duration;

use domain::{CharacterId, TokenStreamId};
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::import::OtherStream;
use super::{Granted, StoredToken};
use crate::sqlite::{later, now_text, text};

pub(super) async fn add_character(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    character_name: &str,
) -> Result<()> {
    sqlx::query("insert into character (character_id, character_name) values (?1, ?2) on conflict do nothing")
        .bind(character_id.get())
        .bind(character_name)
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn refresh_tokens(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
) -> Result<Vec<StoredToken>> {
    sqlx::query_as(
        "select token_stream_id, refresh_token_sealed from token_stream
         where character_id = ?1 and refresh_token_sealed is not null",
    )
    .bind(character_id.get())
    .fetch_all(connection)
    .await
}

pub(super) async fn add_stream(connection: &mut SqliteConnection, character_id: CharacterId) -> Result<i64> {
    sqlx::query_scalar("insert into token_stream (character_id) values (?1) returning token_stream_id")
        .bind(character_id.get())
        .fetch_one(connection)
        .await
}

pub(super) async fn set_refresh_token(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    sealed: &[u8],
) -> Result<()> {
    sqlx::query("update token_stream set refresh_token_sealed = ?2 where token_stream_id = ?1")
        .bind(token_stream_id.get())
        .bind(sealed)
        .execute(connection)
        .await
        .map(|_| ())
}

/// There is nothing to lock: the transaction is the only one that writes.
pub(super) async fn lock_state(connection: &mut SqliteConnection, token_stream_id: TokenStreamId) -> Result<String> {
    sqlx::query_scalar("select state from token_stream where token_stream_id = ?1")
        .bind(token_stream_id.get())
        .fetch_one(connection)
        .await
}

pub(super) async fn set_access_token(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    granted: &Granted<'_>,
    sealed: &[u8],
) -> Result<()> {
    sqlx::query(
        "update token_stream
         set access_token_sealed = ?2, expires_at = ?3, owner_hash = coalesce(?4, owner_hash), granted_scopes = ?5,
             state = 'active', strikes = 0, first_refused_at = null, next_probe_at = null,
             last_error_code = null, last_error = null, last_error_at = null, first_error_at = null, last_refreshed_at = ?6,
             refused_scopes = '[]', scope_refused_at = null,
             lease_until = iif(lease_until > ?6, lease_until, null)
         where token_stream_id = ?1",
    )
    .bind(token_stream_id.get())
    .bind(sealed)
    .bind(text(granted.expires_at))
    .bind(granted.owner_hash)
    .bind(Json(granted.scopes))
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn keep_access_token(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    granted: &Granted<'_>,
    sealed: &[u8],
) -> Result<()> {
    sqlx::query(
        "update token_stream set access_token_sealed = ?2, expires_at = ?3, owner_hash = ?4, granted_scopes = ?5
         where token_stream_id = ?1",
    )
    .bind(token_stream_id.get())
    .bind(sealed)
    .bind(text(granted.expires_at))
    .bind(granted.owner_hash)
    .bind(Json(granted.scopes))
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn make_due(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    character_name: &str,
) -> Result<()> {
    sqlx::query("update character set character_name = ?2, next_sync_at = ?3 where character_id = ?1")
        .bind(character_id.get())
        .bind(character_name)
        .bind(now_text())
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn make_due_in(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    due_in: Duration,
) -> Result<()> {
    sqlx::query("update character set next_sync_at = ?2 where character_id = ?1")
        .bind(character_id.get())
        .bind(later(due_in))
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn other_streams(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    token_stream_id: TokenStreamId,
) -> Result<Vec<OtherStream>> {
    sqlx::query_as(
        "select token_stream_id, refresh_token_version, state in ('active', 'suspect') as is_in_use
         from token_stream
         where character_id = ?1 and token_stream_id <> ?2 and refresh_token_sealed is not null",
    )
    .bind(character_id.get())
    .bind(token_stream_id.get())
    .fetch_all(connection)
    .await
}

pub(super) async fn delete_unused_stream(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
) -> Result<Option<i64>> {
    sqlx::query_scalar(
        "delete from token_stream
         where token_stream_id = ?1 and expires_at is null and refresh_token_version = 0
           and lease_until is null
         returning character_id",
    )
    .bind(token_stream_id.get())
    .fetch_optional(connection)
    .await
}

pub(super) async fn delete_character_without_stream(
    connection: &mut SqliteConnection,
    character_id: i64,
) -> Result<()> {
    sqlx::query(
        "delete from character where character_id = ?1 and last_synced_at is null
         and not exists (select 1 from token_stream where character_id = ?1)",
    )
    .bind(character_id)
    .execute(connection)
    .await
    .map(|_| ())
}
