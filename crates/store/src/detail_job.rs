//! Killmail bodies: claim the references that are still wanted, store what ESI sends, or remember why not.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{Counted, KillmailHash, KillmailId, KillmailRef, Tries, Verdict};

use crate::lease::Claimant;
use crate::{Store, StoreError, lease};

/// A wanted killmail that we alone may fetch, until [`lease::DETAIL`] has passed.
#[derive(Debug)]
pub struct DetailClaim {
    pub reference: KillmailRef,
    pub tries: Tries,
    fence: i64,
}

/// A body as ESI sent it.
#[derive(Debug)]
pub struct NewKillmail<'a> {
    pub killmail_time: DateTime<Utc>,
    pub solar_system_id: i64,
    /// The very text: PostgreSQL parses it, so that no number is rounded and no unknown field is lost on the way.
    pub json: &'a str,
}

impl Store {
    /// Those of the given killmails that are still wanted and in nobody's hands.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_details(
        &self,
        killmail_ids: &[KillmailId],
        claimant: Claimant,
    ) -> Result<Vec<DetailClaim>, StoreError> {
        let ids: Vec<i64> = killmail_ids.iter().map(|id| id.get()).collect();
        // Locked rows are waited for, in one order: skipping them would leave their hint without anybody to act on it.
        sqlx::query!(
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
            &ids,
            claimant.job_id,
            claimant.take_over,
            lease::seconds(lease::DETAIL)
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::during("claiming killmails"))?
        .into_iter()
        .map(|row| {
            Ok(DetailClaim {
                reference: KillmailRef {
                    killmail_id: KillmailId::parse(row.killmail_id).map_err(StoreError::unexpected)?,
                    killmail_hash: KillmailHash::parse(row.killmail_hash).map_err(StoreError::unexpected)?,
                },
                tries: Tries {
                    attempts: u32::try_from(row.attempt).map_err(StoreError::unexpected)?,
                    refusals: u32::try_from(row.refusals).map_err(StoreError::unexpected)?,
                },
                fence: row.fence,
            })
        })
        .collect()
    }

    /// Stores a body with its participants and ends the claim, in one transaction. False when the lease was lost:
    /// then nothing is written.
    ///
    /// # Errors
    /// When the database does not answer, or does not take the body (see [`StoreError::class`]): nothing is written.
    pub async fn store_body(&self, claim: &DetailClaim, killmail: NewKillmail<'_>) -> Result<bool, StoreError> {
        let doing = "storing a killmail";
        let mut transaction = self.pool.begin().await.map_err(StoreError::during(doing))?;
        let id = claim.reference.killmail_id.get();
        let finished = sqlx::query!(
            r#"update killmail_ref
               set state = 'stored', hinted_at = null, lease_until = null, attempt = 0, refusals = 0, last_reason = null
               where killmail_id = $1 and fence = $2 and lease_until is not null and state = 'wanted'"#,
            id,
            claim.fence
        )
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        if finished.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query!(
            r#"insert into killmail (killmail_id, killmail_hash, killmail_time, solar_system_id, body)
               values ($1, $2, $3, $4, $5::text::jsonb) on conflict (killmail_id) do nothing"#,
            id,
            claim.reference.killmail_hash.as_str(),
            killmail.killmail_time,
            killmail.solar_system_id,
            killmail.json
        )
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        // Read back from the stored body, so that it holds for a body that was there before, too.
        sqlx::query!(
            r#"insert into killmail_participant (killmail_id, participant_index, role, character_id, corporation_id,
                                                 alliance_id, faction_id, ship_type_id)
               select $1, p.participant_index, p.role, f.character_id, f.corporation_id, f.alliance_id,
                      f.faction_id, f.ship_type_id
               from killmail k
               cross join lateral (
                   select 0 as participant_index, 'victim' as role, k.body -> 'victim' as participant
                   union all
                   select a.number::integer, 'attacker', a.attacker
                   from jsonb_array_elements(k.body -> 'attackers') with ordinality as a (attacker, number)) p
               cross join lateral jsonb_to_record(p.participant) as f (character_id bigint, corporation_id bigint,
                   alliance_id bigint, faction_id bigint, ship_type_id bigint)
               where k.killmail_id = $1
               on conflict do nothing"#,
            id
        )
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        transaction.commit().await.map_err(StoreError::during(doing))?;
        Ok(true)
    }

    /// Remembers that no body came, and why; the row is due again or parked as the verdict says. False when the
    /// lease was lost.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn finish_detail(&self, claim: &DetailClaim, verdict: &Verdict) -> Result<bool, StoreError> {
        let (delay, counted, state) = match verdict {
            Verdict::RetryAfter { delay, counted, .. } => (*delay, *counted, "wanted"),
            Verdict::Parked { .. } => (Duration::ZERO, Counted::Refusal, "parked"),
            Verdict::Done | Verdict::Skipped { .. } | Verdict::HandBack { .. } => {
                (Duration::ZERO, Counted::Nothing, "wanted")
            }
        };
        let claims = std::slice::from_ref(claim);
        Ok(self.end_details(claims, state, delay, counted, verdict.reason()).await? == 1)
    }

    /// ESI says that there is no such pair of id and hash: final, never asked again. False when the lease was lost.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn mark_invalid(&self, claim: &DetailClaim, reason: &str) -> Result<bool, StoreError> {
        let claims = std::slice::from_ref(claim);
        Ok(self.end_details(claims, "invalid", Duration::ZERO, Counted::Refusal, Some(reason)).await? == 1)
    }

    /// Gives claims up that were not begun: they are due again after `delay`, and it counts as no attempt.
    ///
    /// # Errors
    /// When the database does not answer: the leases run out by themselves.
    pub async fn put_off_details(
        &self,
        claims: &[DetailClaim],
        delay: Duration,
        reason: &str,
    ) -> Result<(), StoreError> {
        self.end_details(claims, "wanted", delay, Counted::Nothing, Some(reason)).await.map(|_| ())
    }

    async fn end_details(
        &self,
        claims: &[DetailClaim],
        state: &str,
        delay: Duration,
        counted: Counted,
        reason: Option<&str>,
    ) -> Result<u64, StoreError> {
        let (ids, fences) = ids_and_fences(claims);
        let ended = sqlx::query!(
            r#"update killmail_ref r
               set state = $3, due_at = now() + make_interval(secs => $4),
                   attempt = r.attempt - case when $5 then 1 else 0 end,
                   refusals = r.refusals + case when $6 then 1 else 0 end,
                   last_reason = $7, hinted_at = null, lease_until = null
               from unnest($1::bigint[], $2::bigint[]) as c (killmail_id, fence)
               where r.killmail_id = c.killmail_id and r.fence = c.fence and r.lease_until is not null
                 and r.state = 'wanted'"#,
            &ids,
            &fences,
            state,
            lease::seconds(delay),
            counted == Counted::Nothing,
            counted == Counted::Refusal,
            reason
        )
        .execute(&self.pool)
        .await
        .map_err(StoreError::during("recording what became of killmails"))?;
        Ok(ended.rows_affected())
    }

    /// Gives claims up that were not worked on, with their hints still standing: the caller publishes a job for those
    /// that are returned.
    ///
    /// # Errors
    /// When the database does not answer: the leases run out by themselves.
    pub async fn hand_over_details(&self, claims: &[DetailClaim]) -> Result<Vec<KillmailId>, StoreError> {
        let (ids, fences) = ids_and_fences(claims);
        sqlx::query_scalar!(
            r#"update killmail_ref r set lease_until = null, hinted_at = now(), attempt = r.attempt - 1
               from unnest($1::bigint[], $2::bigint[]) as c (killmail_id, fence)
               where r.killmail_id = c.killmail_id and r.fence = c.fence and r.lease_until is not null and r.state = 'wanted'
               returning r.killmail_id"#,
            &ids,
            &fences
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::during("handing killmails over"))?
        .into_iter()
        .map(|id| KillmailId::parse(id).map_err(StoreError::unexpected))
        .collect()
    }
}

fn ids_and_fences(claims: &[DetailClaim]) -> (Vec<i64>, Vec<i64>) {
    claims.iter().map(|claim| (claim.reference.killmail_id.get(), claim.fence)).unzip()
}
