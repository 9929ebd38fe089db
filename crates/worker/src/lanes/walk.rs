//! Walking a list page by page: ask, save, decide whether there is another.

use std::time::Duration;

use domain::list_walk;
use domain::{Failure, FailureClass, KillmailId, ListOwner, SyncMode};
use esi::{Answered, EsiErrorKind, ListPage};
use store::StoreError;
use store::director::NoDirector;
use store::list_job::ListClaim;
use store::list_page::ListedPage;
use tracing::{debug, info};

use super::Delivery;
use super::bearer::Bearer;
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

/// What the page before has told of this one.
#[derive(Clone, Copy)]
struct Promise {
    /// `X-Pages`. None when a walk goes on where it was cut.
    pages: Option<u32>,
    /// How long ESI goes on saying so.
    lives_for: Duration,
}

/// Bodies that are to be asked for are added to `to_fetch` as their page is saved.
pub(super) async fn walk(
    worker: &Worker,
    claim: &mut ListClaim,
    asked: SyncMode,
    to_fetch: &mut Vec<KillmailId>,
    delivery: &Delivery,
) -> Result<Ended, StoreError> {
    let store = worker.store();
    let mut bearer = match Bearer::find(worker, claim.owner, &delivery.stop).await? {
        Ok(bearer) => bearer,
        Err(cut) => return Ok(Ended::Cut(cut)),
    };
    let asked = if asked == SyncMode::Full { asked } else { claim.mode() };
    let start = list_walk::start(claim.resume_page, asked);
    // The validator of page 1 is of use only for a list that was seen to its end: then "not changed" means "nothing to do".
    let mut first_validator = if start.mode == SyncMode::New { claim.etag.clone() } else { None };
    let mut page = start.first_page;
    let mut promise = (page > 1).then_some(Promise { pages: None, lives_for: LIST_LIVES_FOR });
    // Pages that were made at different times may not fit together: what has moved from one to another in between is on
    // neither. What was seen before a cut is older in any case.
    claim.is_torn |= page > 1;
    let (mut first_modified, mut has_waited) = (None, false);
    loop {
        if worker.pauses.wait_for_esi(store, &bearer.bucket).await?.is_some() {
            bearer = match Bearer::find(worker, claim.owner, &delivery.stop).await? {
                Ok(another) => another,
                Err(cut) => return Ok(Ended::Cut(cut)),
            };
        }
        let promised_pages = promise.and_then(|promise| promise.pages);
        let etag = match promised_pages {
            Some(_) => store.page_etag(claim.owner, page).await?,
            None => first_validator.take_if(|_| page == 1),
        };
        let answer = match ask(worker, page, &mut bearer, etag.as_deref(), promise.is_some(), delivery).await? {
            Asked::Answer(answer) => answer,
            Asked::NoSuchPage => match promise {
                Some(Promise { lives_for, .. }) => return Ok(Ended::PageMissing { page, lives_for }),
                None => return finish(worker, claim, false, LIST_LIVES_FOR).await,
            },
            Asked::Cut(cut) => return Ok(Ended::Cut(cut)),
        };
        bearer.was_accepted(worker).await?;
        let lives_for = answer.cache.lives_for;
        let (references, pages, etag) = match answer.value {
            ListPage::NotModified if page == 1 => {
                debug!("the list has not changed");
                return finish(worker, claim, true, lives_for).await;
            }
            ListPage::NotModified => (None, promised_pages, etag),
            ListPage::Page { references, pages, etag } => (Some(references), pages, etag),
        };
        promise = pages.map(|pages| Promise { pages: Some(pages), lives_for });
        let modified = answer.cache.last_modified;
        claim.is_torn |= first_modified.is_some() && modified.is_some() && modified != first_modified;
        first_modified = first_modified.or(modified);
        // As long as the end is not known there is one more page: better an answer of 404 than a hole.
        let pages = pages.unwrap_or(page + 1);
        let (references, etag) = (references.as_deref(), etag.as_deref());
        let listed = ListedPage { page, references, pages, etag, lives_for, mode: start.mode };
        let Some(saved) = store.save_page(claim, listed, rand::random()).await? else {
            return Ok(Ended::LeaseLost);
        };
        info!(page, pages, references = references.map(<[_]>::len), unseen = saved.unseen, "page saved");
        to_fetch.extend(saved.to_fetch);
        let Some(next_page) = saved.next_page else { return Ok(Ended::Finished) };
        if let Some(budget) = &answer.budget {
            // Everything that this walk has used comes back within one window.
            worker.pauses.spare(store, &bearer.bucket, budget, RESERVE_TOKENS, budget.window).await?;
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
            (page, promise, first_modified, has_waited) = (1, None, None, true);
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

/// Members that are found to be no directors in one walk, before the rest is left to another: each costs 5 tokens of
/// its own bucket, and what ESI's error limit may count.
const NO_DIRECTORS_MAX: u32 = 5;
/// Until then.
const NEXT_CANDIDATES_AFTER: Duration = Duration::from_secs(15 * 60);

/// One page. A token that ESI does not take is discarded, and another is tried once; a login whose scope it refuses, or
/// a member that it does not take for a director, is left alone for a day, and the next one is tried. Of a page that
/// nobody has promised every 404 tells that there is none.
async fn ask(
    worker: &Worker,
    page: u32,
    bearer: &mut Bearer,
    etag: Option<&str>,
    is_promised: bool,
    delivery: &Delivery,
) -> Result<Asked, StoreError> {
    let (mut was_unauthorized, mut no_directors) = (false, 0);
    loop {
        let answer = worker.esi.killmail_list(bearer.owner, page, &bearer.token.secret, etag).await;
        worker.heard("list", &answer).await?;
        let error = match answer {
            Ok(answer) => return Ok(Asked::Answer(answer)),
            Err(error) => error,
        };
        worker.pauses.remember(worker.store(), &bearer.bucket, &error).await?;
        if let Some(budget) = error.budget() {
            // Errors are paid for too, and dearly.
            worker.pauses.spare(worker.store(), &bearer.bucket, budget, RESERVE_TOKENS, budget.window).await?;
        }
        match error.kind() {
            EsiErrorKind::PageDoesNotExist => return Ok(Asked::NoSuchPage),
            EsiErrorKind::Unavailable { status: 404 } if page > 1 && !is_promised => return Ok(Asked::NoSuchPage),
            EsiErrorKind::Unauthorized => {
                // Two different ones in a row: then it is ESI's trouble, or EVE SSO's, and not this token's. It is kept for
                // the next attempt, so that none of them costs more than one refresh.
                if was_unauthorized {
                    return Ok(Asked::Cut(Cut::Failed(error.failure())));
                }
                worker.store().discard_access_token(&bearer.token).await?;
                was_unauthorized = true;
            }
            EsiErrorKind::ScopeMissing => bearer.scope_was_refused(worker).await?,
            EsiErrorKind::RoleMissing | EsiErrorKind::NotInCorporation
                if matches!(bearer.owner, ListOwner::Corporation(_)) =>
            {
                let is_member = *error.kind() == EsiErrorKind::RoleMissing;
                let why = if is_member { NoDirector::RoleMissing } else { NoDirector::NotInCorporation };
                bearer.is_no_director(worker, why).await?;
                no_directors += 1;
                if no_directors == NO_DIRECTORS_MAX {
                    let reason = format!("{no_directors} members that have signed in are no directors");
                    let failure = Failure::is(FailureClass::Wait(NEXT_CANDIDATES_AFTER), reason);
                    return Ok(Asked::Cut(Cut::Failed(failure)));
                }
            }
            _ => return Ok(Asked::Cut(Cut::Failed(error.failure()))),
        }
        // Each of these answers costs as much as two pages, so the bucket may have to wait.
        match Bearer::find(worker, bearer.owner, &delivery.stop).await? {
            Ok(another) => *bearer = another,
            Err(cut) => return Ok(Asked::Cut(cut)),
        }
    }
}
