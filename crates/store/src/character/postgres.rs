use domain::CharacterId;
use sqlx::{PgConnection, Result};

use super::CharacterListed;

pub(super) async fn exists(connection: &mut PgConnection, character_id: CharacterId) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from character where character_id = $1) as "exists!""#,
        character_id.get()
    )
    .fetch_one(connection)
    .await
}

pub(super) async fn list(connection: &mut PgConnection) -> Result<Vec<CharacterListed>> {
    sqlx::query_as!(
        CharacterListed,
        r#"select f.character_id as "character_id!", f.character_name as "character_name!",
                  u.needs_login as "needs_login!", f.last_synced_at, f.next_sync_at as "next_sync_at!",
                  f.killmails_listed as "killmails_listed!", f.last_verdict, f.last_reason,
                  (select count(*) from token_stream s where s.character_id = f.character_id) as "streams!"
           from sync_freshness f join "user" u using (character_id)
           order by f.character_name, f.character_id"#
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn remove_streams(connection: &mut PgConnection, character_id: CharacterId) -> Result<u64> {
    // A login that is just being stored comes before this or after it: it locks the character too.
    sqlx::query!("select character_id from character where character_id = $1 for update", character_id.get())
        .fetch_optional(&mut *connection)
        .await?;
    let removed = sqlx::query!("delete from token_stream where character_id = $1", character_id.get());
    Ok(removed.execute(connection).await?.rows_affected())
}

pub(super) async fn remove(connection: &mut PgConnection, character_id: CharacterId) -> Result<Option<String>> {
    sqlx::query_scalar!("delete from character where character_id = $1 returning character_name", character_id.get())
        .fetch_optional(connection)
        .await
}
