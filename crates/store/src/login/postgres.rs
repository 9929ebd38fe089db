use std::time::Duration;

use domain::{CharacterId, TokenStreamId};
use sqlx::{PgConnection, Result};

use super::import::OtherStream;
use super::{Granted, StoredToken};
use crate::lease::seconds;

pub(super) async fn add_character(
    connection: &mut PgConnection,
    character_id: CharacterId,
    character_name: &str,
) -> Result<()> {
    // Updating the name to itself locks the row: two logins of one character at once see each other's stream.
    sqlx::query!(
        r#"insert into character (character_id, character_name) values ($1, $2)
           on conflict (character_id) do update set character_name = character.character_name"#,
        character_id.get(),
        character_name
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn refresh_tokens(
    connection: &mut PgConnection,
    character_id: CharacterId,
) -> Result<Vec<StoredToken>> {
    sqlx::query_as!(
        StoredToken,
        r#"select token_stream_id, refresh_token_sealed as "refresh_token_sealed!" from token_stream
           where character_id = $1 and refresh_token_sealed is not null"#,
        character_id.get()
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn add_stream(connection: &mut PgConnection, character_id: CharacterId) -> Result<i64> {
    sqlx::query_scalar!(
        "insert into token_stream (character_id) values ($1) returning token_stream_id",
        character_id.get()
    )
    .fetch_one(connection)
    .await
}

pub(super) async fn set_refresh_token(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    sealed: &[u8],
) -> Result<()> {
    sqlx::query!(
        "update token_stream set refresh_token_sealed = $2 where token_stream_id = $1",
        token_stream_id.get(),
        sealed
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// The state, which stays so until the end of the transaction.
pub(super) async fn lock_state(connection: &mut PgConnection, token_stream_id: TokenStreamId) -> Result<String> {
    sqlx::query_scalar!("select state from token_stream where token_stream_id = $1 for update", token_stream_id.get())
        .fetch_one(connection)
        .await
}

/// The lease of a refresh that is under way is left to who holds it; one that stands in the past tells of an answer that is
/// not lost any more.
pub(super) async fn set_access_token(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    granted: &Granted<'_>,
    sealed: &[u8],
) -> Result<()> {
    sqlx::query!(
        r#"update token_stream
           set access_token_sealed = $2, expires_at = $3, owner_hash = coalesce($4, owner_hash), granted_scopes = $5,
               state = 'active', strikes = 0, first_refused_at = null, next_probe_at = null,
               last_error_code = null, last_error = null, last_error_at = null, first_error_at = null, last_refreshed_at = now(),
               refused_scopes = '{}', scope_refused_at = null,
               lease_until = case when lease_until > now() then lease_until end
           where token_stream_id = $1"#,
        token_stream_id.get(),
        sealed,
        granted.expires_at,
        granted.owner_hash,
        granted.scopes
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Of a new stream. Another program has refreshed it, we never have: so `last_refreshed_at` stays empty.
pub(super) async fn keep_access_token(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    granted: &Granted<'_>,
    sealed: &[u8],
) -> Result<()> {
    sqlx::query!(
        r#"update token_stream set access_token_sealed = $2, expires_at = $3, owner_hash = $4, granted_scopes = $5
           where token_stream_id = $1"#,
        token_stream_id.get(),
        sealed,
        granted.expires_at,
        granted.owner_hash,
        granted.scopes
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn make_due(
    connection: &mut PgConnection,
    character_id: CharacterId,
    character_name: &str,
) -> Result<()> {
    sqlx::query!(
        "update character set character_name = $2, next_sync_at = now() where character_id = $1",
        character_id.get(),
        character_name
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn make_due_in(
    connection: &mut PgConnection,
    character_id: CharacterId,
    due_in: Duration,
) -> Result<()> {
    sqlx::query!(
        "update character set next_sync_at = now() + make_interval(secs => $2) where character_id = $1",
        character_id.get(),
        seconds(due_in)
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn other_streams(
    connection: &mut PgConnection,
    character_id: CharacterId,
    token_stream_id: TokenStreamId,
) -> Result<Vec<OtherStream>> {
    sqlx::query_as!(
        OtherStream,
        r#"select token_stream_id, refresh_token_version, state in ('active', 'suspect') as "is_in_use!"
           from token_stream
           where character_id = $1 and token_stream_id <> $2 and refresh_token_sealed is not null"#,
        character_id.get(),
        token_stream_id.get()
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn delete_unused_stream(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
) -> Result<Option<i64>> {
    // Locked before anything is deleted, in a statement of its own: a login of the same character that is just being
    // stored must be seen by the question whether the character has another stream.
    sqlx::query!(
        r#"select c.character_id from character c join token_stream s using (character_id)
           where s.token_stream_id = $1 for update of c"#,
        token_stream_id.get()
    )
    .fetch_optional(&mut *connection)
    .await?;
    sqlx::query_scalar!(
        r#"delete from token_stream
           where token_stream_id = $1 and expires_at is null and refresh_token_version = 0
             and lease_until is null
           returning character_id"#,
        token_stream_id.get()
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn delete_character_without_stream(connection: &mut PgConnection, character_id: i64) -> Result<()> {
    sqlx::query!(
        r#"delete from character c where c.character_id = $1 and c.last_synced_at is null
           and not exists (select from token_stream s where s.character_id = c.character_id)"#,
        character_id
    )
    .execute(connection)
    .await
    .map(|_| ())
}
