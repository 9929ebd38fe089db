//! Walking a list page by page: ask, save, decide whether there is another.

use std::time::Duration;

use domain::list_walk;
use domain::token::LIST_SCOPE;
use domain::{KillmailId, ListOwner, SyncMode};
use esi::{Answered, EsiErrorKind, ListPage};
use store::StoreError;
use store::list_job::ListClaim;
use store::list_page::ListedPage;
use store::pause::scope_of_list;
use store::token_stream::AccessToken;
use tracing::{debug, info, warn};

use super::Delivery;
use super::cut::Cut;
use crate::worker::Worker;

/// ESI's own time to live of killmail lists, for answers that do not say one.
const LIST_LIVES_FOR: Duration = Duration::from_secs(300);
/// A walk stops while the bucket still holds the price of an error (5 tokens, a page costs 2).
const RESERVE_TOKENS: u32 = 6;

pub(super) enum Ended {
    /// The row is finished, with the last page.
    Finished,
    LeaseLost,
    Cut(Cut),
    /// ESI says that this page does not exist, though the page before it said otherwise.
    PageMissing {
        page: u32,
        /// How long ESI goes on giving the answer that promised it.
        lives_for: Duration,
    },
}

/// Bodies that are to be asked for are added to `to_fetch` as their page is saved.
pub(super) async fn walk(
    worker: &Worker,
    claim: &mut ListClaim,
    asked: SyncMode,
    to_fetch: &mut Vec<KillmailId>,
    delivery: &Delivery,
) -> Result<Ended, StoreError> {
    let bucket = scope_of_list(claim.character_id);
    if let Some(wait) = worker.pauses.wait_for_esi(worker.store(), &bucket).await? {
        return Ok(Ended::Cut(Cut::Failed(wait)));
    }
    let mut token = match Cut::unless_found(worker.good_token(claim.character_id, &delivery.stop).await?) {
        Ok(token) => token,
        Err(cut) => return Ok(Ended::Cut(cut)),
    };
    let asked = if asked == SyncMode::Full { asked } else { claim.mode() };
    let start = list_walk::start(claim.resume_page, asked);
    // A validator is of use only for a list that was seen to its end: then "not changed" means "nothing to do".
    let mut validator = if start.mode == SyncMode::New { claim.etag.clone() } else { None };
    let mut page = start.first_page;
    // Whether a page before this one said that this one exists, and for how long ESI will go on saying so.
    let mut promise = (page > 1).then_some(LIST_LIVES_FOR);
    let mut is_use_recorded = false;
    // Pages that were made at different times may not fit together: what has moved from one to another in between is on
    // neither. What was seen before a cut is older in any case.
    claim.is_torn |= page > 1;
    let (mut first_modified, mut has_waited) = (None, false);
    loop {
        // Before every page; it was asked above too, so that no token is refreshed for a call that has to wait.
        if let Some(wait) = worker.pauses.wait_for_esi(worker.store(), &bucket).await? {
            return Ok(Ended::Cut(Cut::Failed(wait)));
        }
        let etag = if page == 1 { validator.as_deref() } else { None };
        let answer = match ask(worker, claim, page, &mut token, etag, promise.is_some(), delivery).await? {
            Asked::Answer(answer) => answer,
            Asked::NoSuchPage => match promise {
                Some(lives_for) => return Ok(Ended::PageMissing { page, lives_for }),
                None => return finish(worker, claim, false, LIST_LIVES_FOR).await,
            },
            Asked::Cut(cut) => return Ok(Ended::Cut(cut)),
        };
        if !is_use_recorded {
            worker.store().record_accepted(&token, LIST_SCOPE).await?;
            is_use_recorded = true;
        }
        let lives_for = answer.cache.lives_for;
        let (references, pages, etag) = match answer.value {
            ListPage::NotModified => {
                debug!("the list has not changed");
                return finish(worker, claim, true, lives_for).await;
            }
            ListPage::Page { references, pages, etag } => (references, pages, etag),
        };
        promise = pages.is_some().then_some(lives_for);
        let modified = answer.cache.last_modified;
        claim.is_torn |= first_modified.is_some() && modified.is_some() && modified != first_modified;
        first_modified = first_modified.or(modified);
        // As long as the end is not known there is one more page: better an answer of 404 than a hole.
        let pages = pages.unwrap_or(page + 1);
        let listed =
            ListedPage { page, references: &references, pages, etag: etag.as_deref(), lives_for, mode: start.mode };
        let Some(saved) = worker.store().save_page(claim, listed, rand::random()).await? else {
            return Ok(Ended::LeaseLost);
        };
        info!(page, pages, references = references.len(), unseen = saved.unseen, "page saved");
        to_fetch.extend(saved.to_fetch);
        let Some(next_page) = saved.next_page else { return Ok(Ended::Finished) };
        if let Some(budget) = &answer.budget {
            // Everything that this walk has used comes back within one window.
            worker.pauses.spare(worker.store(), &bucket, budget, RESERVE_TOKENS, budget.window).await?;
        }
        if delivery.stop.is_cancelled() {
            return Ok(Ended::Cut(Cut::Stopped));
        }
        page = next_page;
        if page == 2 && answer.cache.is_about_to_end() && !has_waited {
            debug!(seconds = lives_for.as_secs(), "page 1 is about to be another one: asked again then");
            if delivery.stop.run_until_cancelled(tokio::time::sleep(lives_for)).await.is_none() {
                return Ok(Ended::Cut(Cut::Stopped));
            }
            (page, promise, validator, first_modified, has_waited) = (1, None, None, None, true);
        }
    }
}

async fn finish(worker: &Worker, claim: &ListClaim, unchanged: bool, lives_for: Duration) -> Result<Ended, StoreError> {
    let finished = worker.store().finish_walk(claim, unchanged, lives_for, rand::random()).await?;
    Ok(if finished { Ended::Finished } else { Ended::LeaseLost })
}

enum Asked {
    Answer(Answered<ListPage>),
    NoSuchPage,
    Cut(Cut),
}

/// One page. A token that ESI does not take is discarded, and another is tried once; a stream whose scope it refuses
/// is left alone for a day, and the next one is tried. Of a page that nobody has promised every 404 tells that there
/// is none.
async fn ask(
    worker: &Worker,
    claim: &ListClaim,
    page: u32,
    token: &mut AccessToken,
    etag: Option<&str>,
    is_promised: bool,
    delivery: &Delivery,
) -> Result<Asked, StoreError> {
    let bucket = scope_of_list(claim.character_id);
    let mut was_unauthorized = false;
    loop {
        let answer =
            worker.esi.killmail_list(ListOwner::Character(claim.character_id), page, &token.secret, etag).await;
        worker.heard("list", &answer).await?;
        let error = match answer {
            Ok(answer) => return Ok(Asked::Answer(answer)),
            Err(error) => error,
        };
        worker.pauses.remember(worker.store(), &bucket, &error).await?;
        if let Some(budget) = error.budget() {
            // Errors are paid for too, and dearly.
            worker.pauses.spare(worker.store(), &bucket, budget, RESERVE_TOKENS, budget.window).await?;
        }
        match error.kind() {
            EsiErrorKind::PageDoesNotExist => return Ok(Asked::NoSuchPage),
            EsiErrorKind::Unavailable { status: 404 } if page > 1 && !is_promised => return Ok(Asked::NoSuchPage),
            EsiErrorKind::Unauthorized => {
                worker.store().discard_access_token(token).await?;
                if was_unauthorized {
                    return Ok(Asked::Cut(Cut::Failed(error.failure())));
                }
                was_unauthorized = true;
            }
            EsiErrorKind::ScopeMissing => {
                warn!(scope = LIST_SCOPE, "ESI refuses a scope of this login: left alone for a day");
                worker.store().refuse_scope(token, LIST_SCOPE).await?;
            }
            _ => return Ok(Asked::Cut(Cut::Failed(error.failure()))),
        }
        // Each of these answers costs as much as two pages: with many logins the bucket would be empty before the last.
        if let Some(wait) = worker.pauses.wait_for_esi(worker.store(), &bucket).await? {
            return Ok(Asked::Cut(Cut::Failed(wait)));
        }
        match Cut::unless_found(worker.good_token(claim.character_id, &delivery.stop).await?) {
            Ok(another) => *token = another,
            Err(cut) => return Ok(Asked::Cut(cut)),
        }
    }
}
