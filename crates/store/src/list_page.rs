//! One page of a killmail list: saved whole, with the step that follows in the same transaction.
//!
//! Its references, which of their bodies are now asked for, and either the page at which the walk goes on or the end of
//! the walk: a crash at any moment leaves a row from which the walk goes on without a hole.

mod postgres;
mod sqlite;

use std::time::Duration;

use domain::list_walk::{self, PageSeen};
use domain::{KillmailId, KillmailRef, ListOwner, SyncMode};

use crate::access::{Access, dialect};
use crate::list_job::{ListClaim, end_walk, set_full_walk_in};
use crate::{Store, StoreError};

/// A page as ESI answered it.
#[derive(Debug)]
pub struct ListedPage<'a> {
    pub page: u32,
    /// None for a page that has not changed since its ETag was remembered: all of it was saved then.
    pub references: Option<&'a [KillmailRef]>,
    /// `X-Pages`.
    pub pages: u32,
    /// Of what is on it now.
    pub etag: Option<&'a str>,
    /// How long ESI will give this same answer.
    pub lives_for: Duration,
    pub mode: SyncMode,
}

#[derive(Debug)]
pub struct PageSaved {
    /// None when the walk is at its end, and finished.
    pub next_page: Option<u32>,
    /// Killmails that were marked as hinted: the caller asks for their bodies.
    pub to_fetch: Vec<KillmailId>,
    /// References that this list had not shown before.
    pub unseen: usize,
}

impl Store {
    /// The ETag of a page behind the first, if all that it showed then was saved.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn page_etag(&self, owner: ListOwner, page: u32) -> Result<Option<String>, StoreError> {
        dialect!(self.read("reading the ETag of a page").await?, etag(owner, i32::try_from(page).unwrap_or(i32::MAX)))
    }

    /// Saves a page and takes the next step; none when the lease was lost, and then nothing is written.
    /// `random` is from 0 up to 1.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn save_page(
        &self,
        claim: &mut ListClaim,
        page: ListedPage<'_>,
        random: f64,
    ) -> Result<Option<PageSaved>, StoreError> {
        let mut transaction = self.transaction("saving a page of references").await?;
        // The row is locked first: whoever holds the fence decides alone.
        if !dialect!(transaction, renew(claim, page.lives_for))? {
            return Ok(None);
        }
        let (unseen, to_fetch) = match page.references {
            Some(references) => remember(&mut transaction, claim.owner, references).await?,
            None => (0, Vec::new()),
        };
        if page.page > 1 {
            let number = i32::try_from(page.page).unwrap_or(i32::MAX);
            match page.etag {
                Some(etag) => dialect!(transaction, set_etag(claim.owner, number, etag))?,
                None => dialect!(transaction, forget_etag(claim.owner, number))?,
            }
        }
        let is_empty = page.references.is_some_and(<[_]>::is_empty);
        let seen = PageSeen { page: page.page, is_empty, unseen, pages: page.pages };
        let next_page = list_walk::next_page(page.mode, seen);

        let mut progress = (claim.pages + 1, claim.references_new);
        progress.1 = progress.1.saturating_add(i32::try_from(unseen).unwrap_or(i32::MAX));
        let first_etag = if page.page == 1 { page.etag.map(str::to_owned) } else { claim.first_etag.clone() };
        match next_page {
            Some(next_page) => {
                let next_page = i32::try_from(next_page).unwrap_or(i32::MAX);
                dialect!(transaction, go_on_at(claim.owner, next_page))?;
            }
            None => {
                end_walk(&mut transaction, claim, page.mode, first_etag.as_deref(), progress, page.lives_for, random)
                    .await?;
                // An earlier attempt at this walk may have seen more, and that all of it is gone is most likely a mistake
                // of ESI: the next walk does not stop at what is known.
                let is_list_empty = seen.page == 1 && seen.is_empty;
                if is_list_empty && claim.resume_page.is_some() && claim.attempt > 1 {
                    set_full_walk_in(&mut transaction, claim.owner, Duration::ZERO).await?;
                }
            }
        }
        transaction.commit().await?;
        (claim.pages, claim.references_new) = progress;
        claim.first_etag = first_etag;
        Ok(Some(PageSaved { next_page, to_fetch, unseen }))
    }
}

/// Saves references; returns how many this list had not shown before, and which bodies are to be asked for.
async fn remember(
    transaction: &mut Access,
    owner: ListOwner,
    references: &[KillmailRef],
) -> Result<(usize, Vec<KillmailId>), StoreError> {
    // In one order everywhere: lists share killmails, and must not wait for each other in a circle.
    // One that is shown with two hashes is wanted with the lesser one; the other has its turn below.
    let mut sorted: Vec<&KillmailRef> = references.iter().collect();
    sorted.sort_unstable_by_key(|reference| (reference.killmail_id, reference.killmail_hash.as_str()));
    sorted.dedup();
    let references: References = sorted
        .iter()
        .map(|reference| (reference.killmail_id.get(), reference.killmail_hash.as_str().to_owned()))
        .unzip();
    dialect!(*transaction, add_references(&references))?;
    // A reference that was given up gets another chance when a list shows it with another hash. A statement of
    // its own: `on conflict do update` would lock every row that is there, and get in the way of who works on it.
    dialect!(*transaction, revive_references(&references))?;
    let unseen = dialect!(*transaction, add_to_list(owner, &references.0))?;
    let to_fetch = dialect!(*transaction, hint_free(&references.0))?
        .into_iter()
        .map(|id| KillmailId::parse(id).map_err(StoreError::unexpected))
        .collect::<Result<_, _>>()?;
    Ok((usize::try_from(unseen).unwrap_or(usize::MAX), to_fetch))
}

/// Killmails with their hashes, side by side.
type References = (Vec<i64>, Vec<String>);
