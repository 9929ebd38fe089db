//! The hourly look at a login that nobody uses just now (`domain::token::look`).
//!
//! A provider that can be asked is asked whether the access token stands. If it does not, that is written down, and a
//! refresh tells at once what it means for the login. A provider that cannot be asked is asked for a refresh.

use std::time::Duration;

use domain::token::look::AGAIN_AFTER;
use domain::{Counted, Failure, FailureClass, Outcome, TokenStreamId, Verdict};
use esi::Validity;
use store::look::DueLook;
use store::{StoreError, pause};
use tracing::{Span, error, warn};

use super::Delivery;
use super::renew::{Renewed, Why};
use crate::worker::Worker;

/// A provider that does not answer is left alone by the whole fleet for so long: each question may take seconds.
const PAUSE_AFTER_TROUBLE: Duration = Duration::from_secs(60);
/// One alarm in so long, while the address is wrong.
const PAUSE_AFTER_MISUNDERSTANDING: Duration = Duration::from_secs(15 * 60);

pub(crate) async fn look_at_token(
    worker: &Worker,
    token_stream_id: TokenStreamId,
    delivery: &Delivery,
) -> Result<Outcome, StoreError> {
    Span::current().record("token_stream.id", token_stream_id.get());
    let store = worker.store();
    let Some(due) = store.due_look(token_stream_id).await? else {
        return Ok(Verdict::skipped("nothing to do: used, refreshed or refused meanwhile, or it has ended").into());
    };
    if let Some(wait) = worker.pauses.wait_for_look(store).await? {
        return Ok(Verdict::skipped(wait.reason).into());
    }
    if due == DueLook::AccessToken
        && let Some(outcome) = ask(worker, token_stream_id).await?
    {
        return Ok(outcome);
    }
    Ok(match worker.renew(token_stream_id, Why::Look, delivery).await? {
        Renewed::Granted => Verdict::Done,
        Renewed::Ended(verdict) => verdict,
        Renewed::Failed(Failure { reason, .. }) => later(reason),
    }
    .into())
}

/// Nothing when only a refresh can tell.
async fn ask(worker: &Worker, token_stream_id: TokenStreamId) -> Result<Option<Outcome>, StoreError> {
    let store = worker.store();
    let token = match store.access_token(worker.refresher.keyring(), token_stream_id).await {
        Ok(Some(token)) => token,
        Ok(None) => return Ok(Some(Verdict::skipped("its access token was discarded this very moment").into())),
        Err(StoreError::Seal(why)) => {
            store.record_unopenable(token_stream_id, &why).await?;
            return Ok(Some(Verdict::skipped(why.to_string()).into()));
        }
        Err(error) => return Err(error),
    };
    match worker.refresher.sso().validate(&token.secret).await {
        None => Ok(None),
        Some(Ok(Validity::Stands)) => {
            store.record_stands(token_stream_id).await?;
            Ok(Some(Verdict::Done.into()))
        }
        Some(Ok(Validity::Revoked { said })) => {
            warn!(token_stream.id = token_stream_id.get(), said, "an access token was revoked");
            store.record_revoked(&token, &format!("the provider says of the access token: {said}")).await?;
            Ok(None)
        }
        Some(Err(error)) => not_answered(worker, error.failure()).await.map(Some),
    }
}

async fn not_answered(worker: &Worker, failure: Failure) -> Result<Outcome, StoreError> {
    let span = match failure.class {
        FailureClass::Wait(span) => span.max(PAUSE_AFTER_TROUBLE),
        FailureClass::Configuration => PAUSE_AFTER_MISUNDERSTANDING,
        _ => PAUSE_AFTER_TROUBLE,
    };
    if failure.class == FailureClass::Configuration {
        error!(reason = %failure, "logins cannot be looked at: check KILLFLEET_SSO_VALIDATE_URL");
    }
    worker.pauses.pause(worker.store(), pause::SCOPE_VALIDATE, &failure.reason, span).await?;
    Ok(later(failure.reason).into())
}

/// A tick asks again.
fn later(reason: String) -> Verdict {
    Verdict::RetryAfter { delay: AGAIN_AFTER, reason, counted: Counted::Nothing }
}
