//! Whoever locks several rows of `killmail_ref`, here or elsewhere, and waits for them does so in the order of their
//! ids: so nobody waits for another one in a circle.

use std::time::Duration;

use domain::{Counted, KillmailRef};
use sqlx::{PgConnection, Result};

use super::{Claimed, DetailClaim, IdsAndFences, NewKillmail};
use crate::lease::{self, Claimant};

pub(super) async fn claim(connection: &mut PgConnection, ids: &[i64], claimant: Claimant) -> Result<Vec<Claimed>> {
    // Locked rows are waited for: skipping them would leave their hint without anybody to act on it.
    sqlx::query_as!(
        Claimed,
        r#"with free as (
               select killmail_id from killmail_ref
               where killmail_id = any($1) and state = 'wanted'
                 and (lease_until is null or lease_until <= now() or ($3 and lease_job_id = $2))
                 and (hinted_at is not null or due_at <= now())
               order by killmail_id
               for update)
           update killmail_ref r
           set lease_until = now() + make_interval(secs => $4), lease_job_id = $2, fence = r.fence + 1,
               attempt = r.attempt + 1
           from free where free.killmail_id = r.killmail_id
           returning r.killmail_id, r.killmail_hash, r.attempt, r.refusals, r.fence"#,
        ids,
        claimant.job_id,
        claimant.take_over,
        lease::seconds(lease::DETAIL)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn finish_stored(connection: &mut PgConnection, claim: &DetailClaim) -> Result<bool> {
    let finished = sqlx::query!(
        r#"update killmail_ref
           set state = 'stored', hinted_at = null, lease_until = null, attempt = 0, refusals = 0, last_reason = null
           where killmail_id = $1 and fence = $2 and lease_until is not null and state = 'wanted'"#,
        claim.reference.killmail_id.get(),
        claim.fence
    );
    Ok(finished.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn add_killmail(
    connection: &mut PgConnection,
    reference: &KillmailRef,
    killmail: &NewKillmail<'_>,
) -> Result<()> {
    sqlx::query!(
        r#"insert into killmail (killmail_id, killmail_hash, killmail_time, solar_system_id, body)
           values ($1, $2, $3, $4, $5::text::jsonb) on conflict (killmail_id) do nothing"#,
        reference.killmail_id.get(),
        reference.killmail_hash.as_str(),
        killmail.killmail_time,
        killmail.solar_system_id,
        killmail.json
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(crate) async fn add_participants(connection: &mut PgConnection, killmail_ids: &[i64]) -> Result<()> {
    sqlx::query!(
        r#"insert into killmail_participant (killmail_id, participant_index, role, character_id, corporation_id,
                                             alliance_id, faction_id, ship_type_id)
           select k.killmail_id, p.participant_index, p.role, f.character_id, f.corporation_id, f.alliance_id,
                  f.faction_id, f.ship_type_id
           from killmail k
           cross join lateral (
               select 0 as participant_index, 'victim' as role, k.body -> 'victim' as participant
               union all
               select a.number::integer, 'attacker', a.attacker
               from jsonb_array_elements(k.body -> 'attackers') with ordinality as a (attacker, number)) p
           cross join lateral jsonb_to_record(p.participant) as f (character_id bigint, corporation_id bigint,
               alliance_id bigint, faction_id bigint, ship_type_id bigint)
           where k.killmail_id = any($1)
           on conflict do nothing"#,
        killmail_ids
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn end(
    connection: &mut PgConnection,
    (ids, fences): &IdsAndFences,
    state: &str,
    delay: Duration,
    counted: Counted,
    reason: Option<&str>,
) -> Result<u64> {
    let ended = sqlx::query!(
        r#"with ours as (
               select r.killmail_id from killmail_ref r
               join unnest($1::bigint[], $2::bigint[]) as c (killmail_id, fence) using (killmail_id, fence)
               where r.lease_until is not null and r.state = 'wanted'
               order by r.killmail_id
               for update of r)
           update killmail_ref r
           set state = $3, due_at = now() + make_interval(secs => $4),
               attempt = r.attempt - case when $5 then 1 else 0 end,
               refusals = r.refusals + case when $6 then 1 else 0 end,
               last_reason = $7, hinted_at = null, lease_until = null
           from ours where ours.killmail_id = r.killmail_id"#,
        ids,
        fences,
        state,
        lease::seconds(delay),
        counted == Counted::Nothing,
        counted == Counted::Refusal,
        reason
    );
    Ok(ended.execute(connection).await?.rows_affected())
}

pub(super) async fn hand_over(connection: &mut PgConnection, (ids, fences): &IdsAndFences) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"with ours as (
               select r.killmail_id from killmail_ref r
               join unnest($1::bigint[], $2::bigint[]) as c (killmail_id, fence) using (killmail_id, fence)
               where r.lease_until is not null and r.state = 'wanted'
               order by r.killmail_id
               for update of r)
           update killmail_ref r set lease_until = null, hinted_at = now(), attempt = r.attempt - 1
           from ours where ours.killmail_id = r.killmail_id
           returning r.killmail_id"#,
        ids,
        fences
    )
    .fetch_all(connection)
    .await
}
