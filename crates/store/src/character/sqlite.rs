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
