use std::time::Duration;

use domain::{Counted, KillmailRef};
use sqlx::Result;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::{Claimed, DetailClaim, IdsAndFences, NewKillmail};
use crate::lease::{self, Claimant};
use crate::sqlite::{later, now_text, text};

pub(super) async fn claim(connection: &mut SqliteConnection, ids: &[i64], claimant: Claimant) -> Result<Vec<Claimed>> {
    sqlx::query_as(
        "update killmail_ref
         set lease_until = ?4, lease_job_id = ?2, fence = fence + 1, attempt = attempt + 1
         where killmail_id in (select value from json_each(?1)) and state = 'wanted'
           and (lease_until is null or lease_until <= ?5 or (?3 and lease_job_id = ?2))
           and (hinted_at is not null or due_at <= ?5)
         returning killmail_id, killmail_hash, attempt, refusals, fence",
    )
    .bind(Json(ids))
    .bind(claimant.job_id)
    .bind(claimant.take_over)
    .bind(later(lease::DETAIL))
    .bind(now_text())
    .fetch_all(connection)
    .await
}

pub(super) async fn finish_stored(connection: &mut SqliteConnection, claim: &DetailClaim) -> Result<bool> {
    let finished = sqlx::query(
        "update killmail_ref
         set state = 'stored', hinted_at = null, lease_until = null, attempt = 0, refusals = 0, last_reason = null
         where killmail_id = ?1 and fence = ?2 and lease_until is not null and state = 'wanted'",
    )
    .bind(claim.reference.killmail_id.get())
    .bind(claim.fence);
    Ok(finished.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn add_killmail(
    connection: &mut SqliteConnection,
    reference: &KillmailRef,
    killmail: &NewKillmail<'_>,
) -> Result<()> {
    sqlx::query(
        "insert into killmail (killmail_id, killmail_hash, killmail_time, solar_system_id, body, stored_at)
         values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (killmail_id) do nothing",
    )
    .bind(reference.killmail_id.get())
    .bind(reference.killmail_hash.as_str())
    .bind(text(killmail.killmail_time))
    .bind(killmail.solar_system_id)
    .bind(killmail.json)
    .bind(now_text())
    .execute(connection)
    .await
    .map(|_| ())
}

/// The victim is a list of one here, so that both are read in the same way. A participant that is no object, or
/// attackers that are no list, have no index, and so are refused.
pub(crate) async fn add_participants(connection: &mut SqliteConnection, killmail_ids: &[i64]) -> Result<()> {
    sqlx::query(
        "insert into killmail_participant (killmail_id, participant_index, role, character_id, corporation_id,
                                           alliance_id, faction_id, ship_type_id)
         select k.killmail_id,
                iif(p.type = 'object' and typeof(p.key) = 'integer', p.key + (k.role = 'attacker'), null), k.role,
                p.value ->> 'character_id', p.value ->> 'corporation_id', p.value ->> 'alliance_id',
                p.value ->> 'faction_id', p.value ->> 'ship_type_id'
         from (select killmail_id, 'victim' as role, json_array(body -> 'victim') as list
               from killmail where killmail_id in (select value from json_each(?1))
               union all
               select killmail_id, 'attacker', body -> 'attackers'
               from killmail where killmail_id in (select value from json_each(?1))) k,
              json_each(k.list) p
         where true
         on conflict do nothing",
    )
    .bind(Json(killmail_ids))
    .execute(connection)
    .await
    .map(|_| ())
}

/// As one JSON text, which is how a statement gets many rows.
fn json((ids, fences): &IdsAndFences) -> Json<Vec<(i64, i64)>> {
    Json(ids.iter().copied().zip(fences.iter().copied()).collect())
}

pub(super) async fn end(
    connection: &mut SqliteConnection,
    claims: &IdsAndFences,
    state: &str,
    delay: Duration,
    counted: Counted,
    reason: Option<&str>,
) -> Result<u64> {
    let ended = sqlx::query(
        "update killmail_ref
         set state = ?2, due_at = ?3, attempt = attempt - ?4, refusals = refusals + ?5, last_reason = ?6,
             hinted_at = null, lease_until = null
         from json_each(?1) c
         where killmail_id = c.value ->> 0 and fence = c.value ->> 1 and lease_until is not null
           and state = 'wanted'",
    )
    .bind(json(claims))
    .bind(state)
    .bind(later(delay))
    .bind(counted == Counted::Nothing)
    .bind(counted == Counted::Refusal)
    .bind(reason);
    Ok(ended.execute(connection).await?.rows_affected())
}

pub(super) async fn hand_over(connection: &mut SqliteConnection, claims: &IdsAndFences) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "update killmail_ref set lease_until = null, hinted_at = ?2, attempt = attempt - 1
         from json_each(?1) c
         where killmail_id = c.value ->> 0 and fence = c.value ->> 1 and lease_until is not null
           and state = 'wanted'
         returning killmail_id",
    )
    .bind(json(claims))
    .bind(now_text())
    .fetch_all(connection)
    .await
}
