use domain::CharacterId;
use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::{CharacterRow, RunRow, StreamRow};

pub(super) async fn character(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
) -> Result<Option<CharacterRow>> {
    sqlx::query_as(
        "select c.character_id, c.character_name, c.created_at, c.next_sync_at, c.list_expires_at, c.resume_page,
                c.hinted_at, c.lease_until, c.attempt, c.last_synced_at, c.last_verdict, c.last_reason,
                c.last_verdict_at, count(l.killmail_id) as killmails_listed,
                count(*) filter (where r.state = 'stored') as killmails_stored,
                count(*) filter (where r.state = 'wanted') as killmails_wanted,
                count(*) filter (where r.state = 'invalid') as killmails_invalid,
                count(*) filter (where r.state = 'parked') as killmails_parked,
                max(k.killmail_time) as newest_killmail_time
         from character c
         left join character_killmail l using (character_id)
         left join killmail_ref r using (killmail_id)
         left join killmail k using (killmail_id)
         where c.character_id = ?1
         group by c.character_id",
    )
    .bind(character_id.get())
    .fetch_optional(connection)
    .await
}

pub(super) async fn streams(connection: &mut SqliteConnection, character_id: CharacterId) -> Result<Vec<StreamRow>> {
    sqlx::query_as(
        "select token_stream_id, state, access_token_sealed is not null as has_access_token,
                refresh_token_sealed is not null as has_refresh_token, expires_at, granted_scopes, strikes,
                first_refused_at, next_probe_at, last_error_code, last_error, last_error_at, last_refreshed_at,
                lease_until, created_at
         from token_stream where character_id = ?1 order by token_stream_id",
    )
    .bind(character_id.get())
    .fetch_all(connection)
    .await
}

pub(super) async fn runs(
    connection: &mut SqliteConnection,
    character_id: CharacterId,
    limit: i64,
) -> Result<Vec<RunRow>> {
    sqlx::query_as(
        "select started_at, finished_at, verdict, reason, pages, references_new
         from sync_run where character_id = ?1 order by finished_at desc, sync_run_id desc limit ?2",
    )
    .bind(character_id.get())
    .bind(limit)
    .fetch_all(connection)
    .await
}
