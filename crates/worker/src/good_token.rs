//! Finding a character an access token that outlives the buffer, refreshing a stream where it must be.
//!
//! The healthiest stream is used; one that is refused is remembered as such and the next is tried in the same job.

use std::time::{Duration, Instant};

use domain::token::{self, Choice, NoToken};
use domain::{CharacterId, Failure, FailureClass};
use store::token_stream::AccessToken;
use store::{StoreError, lease};
use tokio_util::sync::CancellationToken;

use crate::refresh::Refreshed;
use crate::worker::Worker;

pub(crate) enum TokenSearch {
    /// Sent to ESI and then forgotten.
    Found(AccessToken),
    /// None of the character's streams serves, for now or for good.
    Nothing(NoToken),
    /// It is not the streams' fault.
    Failed(Failure),
    /// This process is to stop, and nothing was begun.
    Stopped,
}

/// A stream in other hands is looked at again so often, until its holder's lease has run out.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOK_FOR: Duration = Duration::from_secs(lease::REFRESH.as_secs() + 5);
/// More than a character has logins, so that whatever the answers are, a search comes to an end.
const REFRESHES_MAX: u32 = 10;

/// What a token is to be good for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// A killmail list: this is its scope.
    List(&'static str),
    /// A sibling service, which asks for these scopes.
    Sibling(&'a [String]),
}

impl Worker {
    pub(crate) async fn good_token(
        &self,
        character_id: CharacterId,
        scope: &'static str,
        stop: &CancellationToken,
    ) -> Result<TokenSearch, StoreError> {
        self.token_for(Purpose::List(scope), character_id, stop).await
    }

    pub(crate) async fn token_for(
        &self,
        purpose: Purpose<'_>,
        character_id: CharacterId,
        stop: &CancellationToken,
    ) -> Result<TokenSearch, StoreError> {
        let started = Instant::now();
        let mut refreshes = 0;
        // Streams that bring no token that we could use, and why the last of them did not; another login may serve.
        let (mut left_out, mut last_failure) = (Vec::new(), None);
        let mut granted: Option<AccessToken> = None;
        loop {
            let mut now = match purpose {
                Purpose::List(scope) => self.store().streams_for(character_id, scope).await?,
                Purpose::Sibling(scopes) => self.store().streams_with_scopes(character_id, scopes).await?,
            };
            now.streams.retain(|stream| !left_out.contains(&stream.token_stream_id));
            // A refresh may bring less than was granted before: then another login has to serve.
            if let Some(token) = granted.take()
                && now
                    .streams
                    .iter()
                    .any(|stream| stream.token_stream_id == token.token_stream_id && !stream.lacks_scope)
            {
                return Ok(TokenSearch::Found(token));
            }
            let token_stream_id = match token::choose(&now.streams, now.now, self.token_buffer) {
                Choice::Use(token_stream_id) => {
                    match self.store().access_token(self.refresher.keyring(), token_stream_id).await {
                        Ok(Some(token)) => return Ok(TokenSearch::Found(token)),
                        // It was discarded this very moment.
                        Ok(None) => continue,
                        Err(StoreError::Seal(why)) => {
                            self.store().record_unopenable(token_stream_id, &why).await?;
                            left_out.push(token_stream_id);
                            last_failure = Some(Failure::is(FailureClass::Configuration, why.to_string()));
                            continue;
                        }
                        Err(error) => return Err(error),
                    }
                }
                Choice::Refresh(token_stream_id) => token_stream_id,
                Choice::Nothing(reason) => {
                    return Ok(last_failure.map_or(TokenSearch::Nothing(reason), TokenSearch::Failed));
                }
            };
            if stop.is_cancelled() {
                return Ok(TokenSearch::Stopped);
            }
            if let Some(wait) = self.pauses.wait_for_sso(self.store()).await? {
                return Ok(TokenSearch::Failed(wait));
            }
            let decided_on = now.streams.into_iter().find(|stream| stream.token_stream_id == token_stream_id);
            match self.refresher.refresh(token_stream_id, decided_on).await? {
                Refreshed::Granted(token) => granted = Some(token),
                Refreshed::Failed(failure) => {
                    self.refresh_failed(&failure).await?;
                    return Ok(TokenSearch::Failed(failure));
                }
                Refreshed::Unusable(failure) => {
                    // Its refusal may have been the one too many.
                    self.pauses.look_again().await;
                    left_out.push(token_stream_id);
                    last_failure = Some(failure);
                }
                Refreshed::Busy if started.elapsed() < LOOK_FOR => {
                    let _ = stop.run_until_cancelled(tokio::time::sleep(LOOK_AGAIN)).await;
                }
                Refreshed::Busy => {
                    let reason = "this token stream, or all slots for token calls, are in other hands";
                    return Ok(TokenSearch::Failed(Failure::is(FailureClass::Wait(LOOK_FOR), reason)));
                }
                // The row has changed: choose again.
                Refreshed::LostRace | Refreshed::Refused(_) | Refreshed::Quarantined(_) | Refreshed::Impossible => {
                    refreshes += 1;
                    if refreshes == REFRESHES_MAX {
                        let reason = format!("{refreshes} refreshes brought no token");
                        return Ok(TokenSearch::Failed(Failure::is(FailureClass::Transient, reason)));
                    }
                }
            }
        }
    }
}
