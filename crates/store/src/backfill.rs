//! Killmails that come from elsewhere than ESI, from an archive: many at once, and without a claim.
//!
//! The rule: whoever fetches one of them meanwhile finds, at its end, that its lease was lost, and writes nothing; and
//! a reference that ESI has listed is never stored with a body that came under another hash.

mod postgres;
mod sqlite;

use domain::{FailureClass, KillmailId, KillmailRef};

use crate::access::{Access, dialect};
use crate::detail_job::NewKillmail;
use crate::{Store, StoreError};

#[derive(Debug)]
pub struct ArchivedKillmail<'a> {
    pub reference: &'a KillmailRef,
    pub killmail: NewKillmail<'a>,
}

/// What has become of killmails. Each is counted once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Backfilled {
    pub stored: u64,
    pub already_stored: u64,
    /// Those that were left out, each with its reason.
    pub refused: Vec<(KillmailId, String)>,
}

impl Store {
    /// Stores those that are not there yet, with their participants, and settles their references, so that nobody asks
    /// ESI for them. Those that belong together are kept in one transaction; one that cannot be stored is left out.
    ///
    /// # Errors
    /// When the database does not answer: some of them may be stored, and the same call does the rest.
    pub async fn backfill(&self, killmails: &[ArchivedKillmail<'_>]) -> Result<Backfilled, StoreError> {
        // In one order everywhere: whoever else saves references must not wait for us in a circle.
        let mut sorted: Vec<&ArchivedKillmail<'_>> = killmails.iter().collect();
        sorted.sort_by_key(|archived| archived.reference.killmail_id);
        sorted.dedup_by_key(|archived| archived.reference.killmail_id);
        let mut done = Backfilled::default();
        let mut batches = vec![&*sorted];
        while let Some(batch) = batches.pop() {
            match (self.backfill_at_once(batch).await, batch) {
                (Ok((stored, refused)), _) => {
                    done.stored += stored;
                    done.refused.extend(refused);
                }
                (Err(error), _) if error.class() != FailureClass::Ours => return Err(error),
                (Err(error), [archived]) => {
                    done.refused.push((archived.reference.killmail_id, error.failure().reason));
                }
                // A body that is not taken spoils its batch: this is halved until the body stands alone.
                (Err(_), batch) => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    batches.extend([right, left]);
                }
            }
        }
        done.already_stored = killmails.len() as u64 - done.stored - done.refused.len() as u64;
        Ok(done)
    }

    /// How many were stored, and those that were left out.
    async fn backfill_at_once(
        &self,
        killmails: &[&ArchivedKillmail<'_>],
    ) -> Result<(u64, Vec<(KillmailId, String)>), StoreError> {
        let mut transaction = self.transaction("storing killmails of an archive").await?;
        let ids: Vec<i64> = killmails.iter().map(|archived| archived.reference.killmail_id.get()).collect();
        let unsettled = dialect!(transaction, unsettled(&ids))?;
        let killmails: Vec<&ArchivedKillmail<'_>> = killmails
            .iter()
            .copied()
            .filter(|archived| unsettled.binary_search(&archived.reference.killmail_id.get()).is_ok())
            .collect();
        if killmails.is_empty() {
            return Ok((0, Vec::new()));
        }
        let references: References = killmails
            .iter()
            .map(|archived| {
                (archived.reference.killmail_id.get(), archived.reference.killmail_hash.as_str().to_owned())
            })
            .unzip();
        dialect!(transaction, add_references(&references))?;
        dialect!(transaction, settle_references(&references))?;
        let stored = dialect!(transaction, add_killmails(&killmails))?;
        dialect!(transaction, add_participants(&stored))?;
        let refused = refused(&mut transaction, &references.0).await?;
        transaction.commit().await?;
        Ok((stored.len() as u64, refused))
    }
}

/// Those that are not stored now have a reference with another hash, which ESI has given.
async fn refused(transaction: &mut Access, ids: &[i64]) -> Result<Vec<(KillmailId, String)>, StoreError> {
    let others = dialect!(*transaction, not_stored(ids))?;
    others
        .into_iter()
        .map(|(id, hash)| {
            let killmail_id = KillmailId::parse(id).map_err(StoreError::unexpected)?;
            Ok((killmail_id, format!("ESI has listed it with another hash, {hash}")))
        })
        .collect()
}

/// Killmails with their hashes, side by side.
type References = (Vec<i64>, Vec<String>);
