//! Killmail bodies: claim the references that are still wanted, store what ESI sends, or remember why not.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{Counted, KillmailHash, KillmailId, KillmailRef, Tries, Verdict};

use crate::access::dialect;
use crate::lease::Claimant;
use crate::{Store, StoreError};

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
    /// The very text: the database parses it, so that no number is rounded and no unknown field is lost on the way.
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
        let mut access = self.change("claiming killmails").await?;
        let claimed = dialect!(access, claim(&ids, claimant))?;
        access.commit().await?;
        claimed
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
        let mut transaction = self.transaction("storing a killmail").await?;
        if !dialect!(transaction, finish_stored(claim))? {
            return Ok(false);
        }
        dialect!(transaction, add_killmail(&claim.reference, &killmail))?;
        // Read back from the stored body, so that it holds for a body that was there before, too.
        dialect!(transaction, add_participants(&[claim.reference.killmail_id.get()]))?;
        transaction.commit().await?;
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
        let mut access = self.change("recording what became of killmails").await?;
        let ended = dialect!(access, end(&ids_and_fences(claims), state, delay, counted, reason))?;
        access.commit().await?;
        Ok(ended)
    }

    /// Gives claims up that were not worked on, with their hints still standing: the caller publishes a job for those
    /// that are returned.
    ///
    /// # Errors
    /// When the database does not answer: the leases run out by themselves.
    pub async fn hand_over_details(&self, claims: &[DetailClaim]) -> Result<Vec<KillmailId>, StoreError> {
        let mut access = self.change("handing killmails over").await?;
        let handed_over = dialect!(access, hand_over(&ids_and_fences(claims)))?;
        access.commit().await?;
        handed_over.into_iter().map(|id| KillmailId::parse(id).map_err(StoreError::unexpected)).collect()
    }
}

/// A claimed row.
#[derive(sqlx::FromRow)]
struct Claimed {
    killmail_id: i64,
    killmail_hash: String,
    attempt: i32,
    refusals: i32,
    fence: i64,
}

/// Killmails with the fences of their claims, side by side.
type IdsAndFences = (Vec<i64>, Vec<i64>);

fn ids_and_fences(claims: &[DetailClaim]) -> IdsAndFences {
    claims.iter().map(|claim| (claim.reference.killmail_id.get(), claim.fence)).unzip()
}
