use domain::{KillmailId, ListOwner};
use sqlx::{PgConnection, Result};

use super::{Action, ActionRow, Chosen, InState, ListRow, Operator, ParkedRow, ReferenceRow, settled_as};
use crate::list_table::{for_both_lists, for_list};

pub(super) async fn parked(connection: &mut PgConnection) -> Result<Vec<ParkedRow>> {
    sqlx::query_as!(
        ParkedRow,
        r#"select 'killmail' as "kind!", killmail_id as "id!", state as "state!", last_reason as cause,
                  due_at as since
           from killmail_ref where state in ('parked', 'invalid')
           union all
           select 'character', character_id, last_verdict, last_reason, last_verdict_at
           from character where last_verdict = 'parked'
           union all
           select 'corporation', corporation_id, last_verdict, last_reason, last_verdict_at
           from corporation where last_verdict = 'parked'
           order by 1, 2"#
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn reference(connection: &mut PgConnection, killmail_id: KillmailId) -> Result<Option<ReferenceRow>> {
    sqlx::query_as!(
        ReferenceRow,
        r#"select killmail_id, killmail_hash, state, due_at, hinted_at, lease_until, attempt, refusals, last_reason,
                  first_seen_at
           from killmail_ref where killmail_id = $1"#,
        killmail_id.get()
    )
    .fetch_optional(connection)
    .await
}

/// Character by character: no index leads from a killmail to the lists that it is on.
pub(super) async fn characters_with(connection: &mut PgConnection, killmail_id: KillmailId) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"select character_id from character c
           where exists (select 1 from character_killmail l
                         where l.character_id = c.character_id and l.killmail_id = $1)
           order by character_id"#,
        killmail_id.get()
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn corporations_with(connection: &mut PgConnection, killmail_id: KillmailId) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"select corporation_id from corporation c
           where exists (select 1 from corporation_killmail l
                         where l.corporation_id = c.corporation_id and l.killmail_id = $1)
           order by corporation_id"#,
        killmail_id.get()
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn list(connection: &mut PgConnection, owner: ListOwner) -> Result<Option<ListRow>> {
    macro_rules! list {
        ($list:literal) => {
            sqlx::query_as!(
                ListRow,
                "select next_sync_at, hinted_at, lease_until, attempt, last_synced_at, last_verdict, last_reason,
                        last_verdict_at
                 from "
                    + $list
                    + " where "
                    + $list
                    + "_id = $1",
                owner.id()
            )
            .fetch_optional(connection)
            .await
        };
    }
    for_list!(owner, list)
}

pub(super) async fn states(connection: &mut PgConnection, killmail_ids: &[i64]) -> Result<Vec<InState>> {
    sqlx::query_as!(
        InState,
        r#"select state, count(*) as "killmails!" from killmail_ref
           where killmail_id = any($1) group by state order by state"#,
        killmail_ids
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn actions(connection: &mut PgConnection, subject: &str) -> Result<Vec<ActionRow>> {
    sqlx::query_as!(
        ActionRow,
        r#"select at, operator, action, cause, note from operator_action
           where subject = $1 order by operator_action_id"#,
        subject
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn settle_killmails(
    connection: &mut PgConnection,
    chosen: Chosen<'_>,
    action: Action,
    operator: &Operator,
) -> Result<Vec<String>> {
    let (state, reason) = settled_as(action);
    sqlx::query_scalar!(
        r#"with chosen as (
               select killmail_id, last_reason from killmail_ref
               where state in ('parked', 'invalid') and (state <> $3 or last_reason is distinct from $4)
                 and ($1::bigint is null or killmail_id = $1)
                 and ($2::text is null or strpos(last_reason, $2) > 0) and (state = 'parked' or $8)
               order by killmail_id
               for update),
           settled as (
               update killmail_ref r
               set state = $3, last_reason = $4, due_at = now(), attempt = 0, refusals = 0
               from chosen where chosen.killmail_id = r.killmail_id
               returning r.killmail_id, chosen.last_reason)
           insert into operator_action (operator, action, subject, cause, note)
           select $5, $6, 'killmail:' || killmail_id, last_reason, $7 from settled order by killmail_id
           returning subject"#,
        chosen.killmail_id(),
        chosen.cause(),
        state,
        reason,
        operator.name,
        action.name(),
        operator.note,
        chosen.takes_invalid()
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn replay_lists(
    connection: &mut PgConnection,
    chosen: Chosen<'_>,
    operator: &Operator,
) -> Result<Vec<String>> {
    macro_rules! replay {
        ($list:literal) => {
            sqlx::query_scalar!(
                "with chosen as (
                     select "
                    + $list
                    + "_id as id, last_reason from "
                    + $list
                    + "
                     where last_verdict = 'parked' and ($1::bigint is null or "
                    + $list
                    + "_id = $1)
                       and ($2::text is null or strpos(last_reason, $2) > 0)
                     order by "
                    + $list
                    + "_id
                     for update),
                 replayed as (
                     update "
                    + $list
                    + " l
                     set next_sync_at = now(), attempt = 0, last_verdict = null, last_reason = null,
                         last_verdict_at = null
                     from chosen where chosen.id = l."
                    + $list
                    + "_id
                     returning chosen.id, chosen.last_reason)
                 insert into operator_action (operator, action, subject, cause, note)
                 select $3, $4, '"
                    + $list
                    + ":' || id, last_reason, $5 from replayed order by id
                 returning subject",
                chosen.list_id($list),
                chosen.cause(),
                operator.name,
                Action::Replay.name(),
                operator.note
            )
            .fetch_all(&mut *connection)
            .await?
        };
    }
    Ok(for_both_lists!(replay).concat())
}

pub(super) async fn record(
    connection: &mut PgConnection,
    action: Action,
    subject: &str,
    cause: &str,
    operator: &Operator,
) -> Result<()> {
    sqlx::query!(
        "insert into operator_action (operator, action, subject, cause, note) values ($1, $2, $3, $4, $5)",
        operator.name,
        action.name(),
        subject,
        cause,
        operator.note
    )
    .execute(connection)
    .await
    .map(|_| ())
}
