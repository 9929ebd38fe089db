//! The list lane: make sure of a token, walk the list, remember the references, ask for the bodies.

use std::time::Duration;

use domain::list_walk;
use domain::token::NoToken;
use domain::{Counted, Failure, Job, KillmailId, Outcome, SyncList, SyncMode, Tries, Verdict};
use esi::{Answered, EsiErrorKind, ListPage};
use store::StoreError;
use store::list_job::ListClaim;
use store::list_page::ListedPage;
use store::pause::scope_of_list;
use store::token_stream::AccessToken;
use tracing::{Span, debug, info, warn};

use super::{Delivery, record_attempt};
use crate::good_token::TokenSearch;
use crate::worker::Worker;

/// ESI's own time to live of killmail lists, for answers that do not say one.
const LIST_LIVES_FOR: Duration = Duration::from_secs(300);
/// What a page with an answer of 200 costs.
const TOKENS_PER_PAGE: u32 = 2;
/// How often a page may turn out not to exist, at the end of a list, before that is taken to be its end.
const MISSING_PAGES_MAX: u32 = 5;

pub(crate) async fn sync_list(worker: &Worker, sync: SyncList, delivery: &Delivery) -> Result<Outcome, StoreError> {
    Span::current().record("character.id", sync.character_id.get());
    let Some(mut claim) = worker.store().claim_list(sync.character_id, delivery.take_over).await? else {
        return Ok(Verdict::skipped("nothing to do: done, in other hands, not due, or removed").into());
    };
    record_attempt(claim.attempt);
    let mut to_fetch = Vec::new();
    let ended = walk(worker, &mut claim, sync.mode, &mut to_fetch, delivery).await?;
    // References that were saved before the walk was cut are asked for all the same.
    let mut follow_ups: Vec<Job> = Job::fetch_details(&to_fetch).collect();
    let verdict = match ended {
        Ended::Finished => Verdict::Done,
        Ended::LeaseLost => Verdict::skipped("another worker has taken the list over"),
        Ended::Cut(cut) => cut.finish(worker, &claim, Job::SyncList(sync), &mut follow_ups).await?,
        Ended::PageMissing { page } => page_missing(worker, &claim, page).await?,
    };
    Ok(Outcome { verdict, follow_ups })
}

enum Ended {
    /// The row is finished, with the last page.
    Finished,
    LeaseLost,
    Cut(Cut),
    /// ESI says that this page does not exist, though the page before it said otherwise.
    PageMissing {
        page: u32,
    },
}

/// Why a list could not be worked through.
pub(crate) enum Cut {
    /// The reason of the character's tokens: the message is acknowledged, and the next tick looks at the row anew.
    Skip(NoToken),
    Failed(Failure),
    /// This process is to stop: another one shall go on.
    Stopped,
}

impl Cut {
    pub(crate) fn unless_found(search: TokenSearch) -> Result<AccessToken, Self> {
        match search {
            TokenSearch::Found(token) => Ok(token),
            TokenSearch::Nothing(reason) => Err(Self::Skip(reason)),
            TokenSearch::Failed(failure) => Err(Self::Failed(failure)),
            TokenSearch::Stopped => Err(Self::Stopped),
        }
    }

    /// Finishes the row. `again` is the job that another process shall do when this one stops.
    pub(crate) async fn finish(
        self,
        worker: &Worker,
        claim: &ListClaim,
        again: Job,
        follow_ups: &mut Vec<Job>,
    ) -> Result<Verdict, StoreError> {
        let verdict = match self {
            Self::Skip(reason) => Verdict::skipped(reason.name()),
            Self::Failed(failure) => {
                let tries = Tries { attempts: claim.attempt, refusals: 0 };
                domain::failure::decide(&failure, tries, rand::random())
            }
            Self::Stopped => {
                if worker.store().hand_over_list(claim).await? {
                    follow_ups.push(again);
                }
                return Ok(Verdict::skipped("this worker stops: another one goes on"));
            }
        };
        worker.store().finish_list(claim, &verdict).await?;
        Ok(verdict)
    }
}

/// A list can become shorter while it is walked; but if what was taken for its end is a mistake of ESI, all behind it
/// would be missed. So the page before is asked once more when ESI's copy of it has expired: its `X-Pages` decides.
async fn page_missing(worker: &Worker, claim: &ListClaim, page: u32) -> Result<Verdict, StoreError> {
    if claim.attempt >= MISSING_PAGES_MAX {
        warn!(page, "the page does not exist: taken as the end of the list");
        let finished = worker.store().finish_walk(claim, false, LIST_LIVES_FOR, rand::random()).await?;
        return Ok(if finished { Verdict::Done } else { Verdict::skipped("another worker has taken the list over") });
    }
    let reason = format!("page {page} does not exist, though page {} said so", page - 1);
    let verdict = Verdict::RetryAfter { delay: LIST_LIVES_FOR, reason, counted: Counted::Attempt };
    worker.store().finish_list_at(claim, &verdict, page - 1).await?;
    Ok(verdict)
}

async fn walk(
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
    let start = list_walk::start(claim.resume_page, asked);
    // A validator is of use only for a list that was seen to its end: then "not changed" means "nothing to do".
    let validator = if start.mode == SyncMode::New { claim.etag.clone() } else { None };
    let mut page = start.first_page;
    // Whether the page before this one said that this one exists.
    let mut is_promised = false;
    loop {
        if let Some(wait) = worker.pauses.wait_for_esi(worker.store(), &bucket).await? {
            return Ok(Ended::Cut(Cut::Failed(wait)));
        }
        let etag = if page == 1 { validator.as_deref() } else { None };
        let answer = match ask(worker, claim, page, &mut token, etag, delivery).await? {
            Asked::Answer(answer) => answer,
            Asked::NoSuchPage if page > 1 && (is_promised || page == start.first_page) => {
                return Ok(Ended::PageMissing { page });
            }
            Asked::NoSuchPage => {
                let finished = worker.store().finish_walk(claim, false, LIST_LIVES_FOR, rand::random()).await?;
                return Ok(if finished { Ended::Finished } else { Ended::LeaseLost });
            }
            Asked::Cut(cut) => return Ok(Ended::Cut(cut)),
        };
        let lives_for = answer.cache.lives_for;
        let (references, pages, etag) = match answer.value {
            ListPage::NotModified => {
                debug!("the list has not changed");
                let finished = worker.store().finish_walk(claim, true, lives_for, rand::random()).await?;
                return Ok(if finished { Ended::Finished } else { Ended::LeaseLost });
            }
            ListPage::Page { references, pages, etag } => (references, pages, etag),
        };
        is_promised = pages.is_some();
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
            worker.pauses.spare(worker.store(), &bucket, budget, TOKENS_PER_PAGE, budget.window).await?;
        }
        if delivery.stop.is_cancelled() {
            return Ok(Ended::Cut(Cut::Stopped));
        }
        page = next_page;
    }
}

enum Asked {
    Answer(Answered<ListPage>),
    NoSuchPage,
    Cut(Cut),
}

/// One page. A token that ESI does not take is discarded, and another is tried once.
async fn ask(
    worker: &Worker,
    claim: &ListClaim,
    page: u32,
    token: &mut AccessToken,
    etag: Option<&str>,
    delivery: &Delivery,
) -> Result<Asked, StoreError> {
    let mut is_second = false;
    loop {
        let answer = worker.esi.killmail_list(claim.character_id, page, &token.secret, etag).await;
        worker.count_answer("list", answer.as_ref().err());
        let error = match answer {
            Ok(answer) => return Ok(Asked::Answer(answer)),
            Err(error) => error,
        };
        match error.kind() {
            EsiErrorKind::PageDoesNotExist => return Ok(Asked::NoSuchPage),
            EsiErrorKind::Unauthorized => worker.store().discard_access_token(token).await?,
            _ => worker.pauses.remember(worker.store(), &scope_of_list(claim.character_id), &error).await?,
        }
        if is_second || !matches!(error.kind(), EsiErrorKind::Unauthorized) {
            return Ok(Asked::Cut(Cut::Failed(error.failure())));
        }
        is_second = true;
        match Cut::unless_found(worker.good_token(claim.character_id, &delivery.stop).await?) {
            Ok(another) => *token = another,
            Err(cut) => return Ok(Asked::Cut(cut)),
        }
    }
}
