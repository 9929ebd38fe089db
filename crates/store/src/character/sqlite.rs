use domain::CharacterId;
use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::CharacterListed;

pub(super) async fn exists(connection: &mut SqliteConnection, character_id: CharacterId) -> Result<bool> {
    sqlx::query_scalar("select exists (select 1 from character where character_id = ?1)")
        .bind(character_id.get())
        .fetch_one(connection)
        .await
}

pub(super) async fn list(connection: &mut SqliteConnection) -> Result<Vec<CharacterListed>> {
    sqlx::query_as(
        r#"select f.character_id, f.character_name, u.needs_login, f.last_synced_at, f.next_sync_at, f.killmails_listed,
                  f.last_verdict, f.last_reason,
                  (select count(*) from token_stream s where s.character_id = f.character_id) as streams
           from sync_freshness f join "user" u using (character_id)
           order by f.character_name, f.character_id"#,
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn remove_streams(connection: &mut SqliteConnection, character_id: CharacterId) -> Result<u64> {
    let removed = sqlx::query("delete from token_stream where character_id = ?1").bind(character_id.get());
    Ok(removed.execute(connection).await?.rows_affected())
}

pub(super) async fn remove(connection: &mut SqliteConnection, character_id: CharacterId) -> Result<Option<String>> {
    sqlx::query_scalar("delete from character where character_id = ?1 returning character_name")
        .bind(character_id.get())
        .fetch_optional(connection)
        .await
}
