use domain::{KillmailId, ListOwner};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Result};
use sqlx_sqlite::SqliteConnection;

use super::{Action, ActionRow, Chosen, InState, ListRow, Operator, ParkedRow, ReferenceRow, settled_as};
use crate::list_table::table_of;
use crate::sqlite::now_text;

pub(super) async fn parked(connection: &mut SqliteConnection) -> Result<Vec<ParkedRow>> {
    sqlx::query_as(
        "select 'killmail' as kind, killmail_id as id, state, last_reason as cause, due_at as since
         from killmail_ref where state in ('parked', 'invalid')
         union all
         select 'character', character_id, last_verdict, last_reason, last_verdict_at
         from character where last_verdict = 'parked'
         union all
         select 'corporation', corporation_id, last_verdict, last_reason, last_verdict_at
         from corporation where last_verdict = 'parked'
         order by 1, 2",
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn reference(
    connection: &mut SqliteConnection,
    killmail_id: KillmailId,
) -> Result<Option<ReferenceRow>> {
    sqlx::query_as(
        "select killmail_id, killmail_hash, state, due_at, hinted_at, lease_until, attempt, refusals, last_reason,
                first_seen_at
         from killmail_ref where killmail_id = ?1",
    )
    .bind(killmail_id.get())
    .fetch_optional(connection)
    .await
}

pub(super) async fn characters_with(connection: &mut SqliteConnection, killmail_id: KillmailId) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "select character_id from character c
         where exists (select 1 from character_killmail l
                       where l.character_id = c.character_id and l.killmail_id = ?1)
         order by character_id",
    )
    .bind(killmail_id.get())
    .fetch_all(connection)
    .await
}

pub(super) async fn corporations_with(connection: &mut SqliteConnection, killmail_id: KillmailId) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "select corporation_id from corporation c
         where exists (select 1 from corporation_killmail l
                       where l.corporation_id = c.corporation_id and l.killmail_id = ?1)
         order by corporation_id",
    )
    .bind(killmail_id.get())
    .fetch_all(connection)
    .await
}

pub(super) async fn list(connection: &mut SqliteConnection, owner: ListOwner) -> Result<Option<ListRow>> {
    let list = table_of(owner);
    sqlx::query_as(AssertSqlSafe(format!(
        "select next_sync_at, hinted_at, lease_until, attempt, last_synced_at, last_verdict, last_reason,
                last_verdict_at
         from {list} where {list}_id = ?1"
    )))
    .bind(owner.id())
    .fetch_optional(connection)
    .await
}

pub(super) async fn states(connection: &mut SqliteConnection, killmail_ids: &[i64]) -> Result<Vec<InState>> {
    sqlx::query_as(
        "select state, count(*) as killmails from killmail_ref
         where killmail_id in (select value from json_each(?1)) group by state order by state",
    )
    .bind(Json(killmail_ids))
    .fetch_all(connection)
    .await
}

pub(super) async fn actions(connection: &mut SqliteConnection, subject: &str) -> Result<Vec<ActionRow>> {
    sqlx::query_as(
        "select at, operator, action, cause, note from operator_action
         where subject = ?1 order by operator_action_id",
    )
    .bind(subject)
    .fetch_all(connection)
    .await
}

/// Written down first: the statement that follows finds the same rows, for nobody else writes meanwhile.
pub(super) async fn settle_killmails(
    connection: &mut SqliteConnection,
    chosen: Chosen<'_>,
    action: Action,
    operator: &Operator,
) -> Result<Vec<String>> {
    const CHOSEN: &str = "state in ('parked', 'invalid') and (state <> ?3 or last_reason is not ?4)
                          and (?1 is null or killmail_id = ?1) and (?2 is null or instr(last_reason, ?2) > 0) and (state = 'parked' or ?5)";
    let (state, reason) = settled_as(action);
    let subjects = sqlx::query_scalar(AssertSqlSafe(format!(
        "insert into operator_action (operator, action, subject, cause, note, at)
         select ?6, ?7, 'killmail:' || killmail_id, last_reason, ?8, ?9 from killmail_ref
         where {CHOSEN} order by killmail_id
         returning subject"
    )))
    .bind(chosen.killmail_id())
    .bind(chosen.cause())
    .bind(state)
    .bind(reason)
    .bind(chosen.takes_invalid())
    .bind(operator.name.as_deref())
    .bind(action.name())
    .bind(operator.note.as_deref())
    .bind(now_text())
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query(AssertSqlSafe(format!(
        "update killmail_ref set state = ?3, last_reason = ?4, due_at = ?6, attempt = 0, refusals = 0 where {CHOSEN}"
    )))
    .bind(chosen.killmail_id())
    .bind(chosen.cause())
    .bind(state)
    .bind(reason)
    .bind(chosen.takes_invalid())
    .bind(now_text())
    .execute(connection)
    .await?;
    Ok(subjects)
}

pub(super) async fn replay_lists(
    connection: &mut SqliteConnection,
    chosen: Chosen<'_>,
    operator: &Operator,
) -> Result<Vec<String>> {
    let mut subjects = Vec::new();
    for list in ["character", "corporation"] {
        let is_chosen = format!(
            "last_verdict = 'parked' and (?1 is null or {list}_id = ?1) and (?2 is null or instr(last_reason, ?2) > 0)"
        );
        let written = sqlx::query_scalar(AssertSqlSafe(format!(
            "insert into operator_action (operator, action, subject, cause, note, at)
             select ?3, ?4, '{list}:' || {list}_id, last_reason, ?5, ?6 from {list}
             where {is_chosen} order by {list}_id
             returning subject"
        )))
        .bind(chosen.list_id(list))
        .bind(chosen.cause())
        .bind(operator.name.as_deref())
        .bind(Action::Replay.name())
        .bind(operator.note.as_deref())
        .bind(now_text());
        subjects.extend(written.fetch_all(&mut *connection).await?);
        sqlx::query(AssertSqlSafe(format!(
            "update {list} set next_sync_at = ?3, attempt = 0, last_verdict = null, last_reason = null,
                               last_verdict_at = null
             where {is_chosen}"
        )))
        .bind(chosen.list_id(list))
        .bind(chosen.cause())
        .bind(now_text())
        .execute(&mut *connection)
        .await?;
    }
    Ok(subjects)
}

pub(super) async fn record(
    connection: &mut SqliteConnection,
    action: Action,
    subject: &str,
    cause: &str,
    operator: &Operator,
) -> Result<()> {
    sqlx::query(
        "insert into operator_action (operator, action, subject, cause, note, at) values (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(operator.name.as_deref())
    .bind(action.name())
    .bind(subject)
    .bind(cause)
    .bind(operator.note.as_deref())
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}
