//! The list lane: make sure of a token, walk the list, remember the references, ask for the bodies.

use std::time::Duration;

use domain::list_walk;
use domain::token::NoToken;
use domain::{Failure, FailureClass, Job, KillmailId, Outcome, SyncList, SyncMode, Verdict};
use esi::{Answered, EsiErrorKind, ListPage};
use secrecy::SecretString;
use store::StoreError;
use store::list_job::ListClaim;
use store::list_page::ListedPage;
use tracing::{Span, debug, info};

use super::{Delivery, record_attempt};
use crate::good_token::TokenSearch;
use crate::worker::Worker;

/// ESI's own time to live of killmail lists, for the rare answer that ends a walk without saying one.
const LIST_LIVES_FOR: Duration = Duration::from_secs(300);

pub(crate) async fn sync_list(worker: &Worker, sync: SyncList, delivery: &Delivery) -> Result<Outcome, StoreError> {
    Span::current().record("character.id", sync.character_id.get());
    let Some(mut claim) = worker.store().claim_list(sync.character_id, delivery.take_over).await? else {
        return Ok(Verdict::skipped("nothing to do: done, in other hands, not due, or removed").into());
    };
    record_attempt(claim.attempt);
    let mut to_fetch = Vec::new();
    let verdict = match walk(worker, &mut claim, sync.mode, &mut to_fetch).await? {
        Ended::Finished => Verdict::Done,
        Ended::LeaseLost => Verdict::skipped("another worker has taken the list over"),
        Ended::Cut(cut) => {
            let verdict = cut.verdict(claim.attempt);
            worker.store().finish_list(&claim, &verdict).await?;
            verdict
        }
    };
    // References that were saved before the walk was cut are asked for all the same.
    Ok(Outcome { verdict, follow_ups: Job::fetch_details(&to_fetch).collect() })
}

enum Ended {
    /// The row is finished, with the last page.
    Finished,
    LeaseLost,
    Cut(Cut),
}

/// Why a list could not be worked through.
pub(crate) enum Cut {
    /// The reason of the character's tokens: the message is acknowledged, and the next tick looks at the row anew.
    Skip(NoToken),
    Failed(Failure),
}

impl Cut {
    pub(crate) fn unless_found(search: TokenSearch) -> Result<SecretString, Self> {
        match search {
            TokenSearch::Found(token) => Ok(token),
            TokenSearch::Nothing(reason) => Err(Self::Skip(reason)),
            TokenSearch::Failed(failure) => Err(Self::Failed(failure)),
        }
    }

    pub(crate) fn verdict(self, attempt: u32) -> Verdict {
        match self {
            Self::Skip(reason) => Verdict::skipped(reason.name()),
            Self::Failed(failure) => domain::failure::decide(&failure, attempt, rand::random()),
        }
    }
}

async fn walk(
    worker: &Worker,
    claim: &mut ListClaim,
    asked: SyncMode,
    to_fetch: &mut Vec<KillmailId>,
) -> Result<Ended, StoreError> {
    let mut token = match Cut::unless_found(worker.good_token(claim.character_id, None).await?) {
        Ok(token) => token,
        Err(cut) => return Ok(Ended::Cut(cut)),
    };
    let start = list_walk::start(claim.resume_page, asked);
    // A validator is of use only for a list that was seen to its end: then "not changed" means "nothing to do".
    let etag = if start.mode == SyncMode::New { claim.etag.clone() } else { None };
    let mut page = start.first_page;
    loop {
        if let Some(wait) = worker.pauses.wait_for_esi(worker.store(), CHARACTER_LIST_GROUP).await? {
            return Ok(Ended::Cut(Cut::Failed(wait)));
        }
        let validator = if page == 1 { etag.as_deref() } else { None };
        let answer = match ask(worker, claim, page, &mut token, validator).await? {
            Ok(answer) => answer,
            Err(Ending::WalkIsOver) => {
                let finished = worker.store().finish_walk(claim, false, LIST_LIVES_FOR, rand::random()).await?;
                return Ok(if finished { Ended::Finished } else { Ended::LeaseLost });
            }
            Err(Ending::Cut(cut)) => return Ok(Ended::Cut(cut)),
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
        let listed =
            ListedPage { page, references: &references, pages, etag: etag.as_deref(), lives_for, mode: start.mode };
        let Some(saved) = worker.store().save_page(claim, listed, rand::random()).await? else {
            return Ok(Ended::LeaseLost);
        };
        info!(page, pages, references = references.len(), unseen = saved.unseen, "page saved");
        to_fetch.extend(saved.to_fetch);
        let Some(next_page) = saved.next_page else { return Ok(Ended::Finished) };
        if let Some(budget) = answer.budget.filter(|budget| budget.remaining < TOKENS_PER_PAGE) {
            // Everything that this walk has used comes back within one window.
            let reason = format!("the budget of {} is used up for now", budget.group);
            return Ok(Ended::Cut(Cut::Failed(Failure::is(FailureClass::Wait(budget.window), reason))));
        }
        page = next_page;
    }
}

/// The rate-limit group of character lists, as ESI's specification names it.
const CHARACTER_LIST_GROUP: &str = "char-killmail";
/// What a page with an answer of 200 costs.
const TOKENS_PER_PAGE: u32 = 2;

enum Ending {
    /// The page is behind the end by now.
    WalkIsOver,
    Cut(Cut),
}

/// One page. A token that ESI does not take is refreshed once.
async fn ask(
    worker: &Worker,
    claim: &ListClaim,
    page: u32,
    token: &mut SecretString,
    etag: Option<&str>,
) -> Result<Result<Answered<ListPage>, Ending>, StoreError> {
    let mut refreshed = false;
    loop {
        let answer = worker.esi.killmail_list(claim.character_id, page, token, etag).await;
        worker.count_answer("list", answer.as_ref().err());
        let error = match answer {
            Ok(answer) => return Ok(Ok(answer)),
            Err(error) => error,
        };
        match error.kind() {
            EsiErrorKind::PageDoesNotExist => return Ok(Err(Ending::WalkIsOver)),
            EsiErrorKind::Unauthorized if !refreshed => {
                refreshed = true;
                match Cut::unless_found(worker.good_token(claim.character_id, Some(token)).await?) {
                    Ok(renewed) => *token = renewed,
                    Err(cut) => return Ok(Err(Ending::Cut(cut))),
                }
            }
            _ => {
                worker.pauses.remember(worker.store(), &error, CHARACTER_LIST_GROUP).await?;
                return Ok(Err(Ending::Cut(Cut::Failed(error.failure()))));
            }
        }
    }
}
