//! Finding a character an access token that outlives the buffer, refreshing a stream where it must be.
//!
//! The healthiest stream is used; one that is refused is remembered as such and the next is tried in the same job.

use std::time::{Duration, Instant};

use domain::token::{self, Choice, NoToken};
use domain::{CharacterId, Failure, FailureClass, TokenStreamId};
use secrecy::{ExposeSecret, SecretString};
use store::{StoreError, lease};

use crate::refresh::Refreshed;
use crate::worker::Worker;

pub(crate) enum TokenSearch {
    /// Sent to ESI and then forgotten.
    Found(SecretString),
    /// None of the character's streams serves, for now or for good.
    Nothing(NoToken),
    /// It is not the streams' fault.
    Failed(Failure),
}

/// A stream in other hands is looked at again so often, until its holder's lease has run out.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOK_FOR: Duration = Duration::from_secs(lease::REFRESH.as_secs() + 5);

impl Worker {
    /// `rejected` is a token that ESI has just not taken: it is not given out again, however long it has to live.
    pub(crate) async fn good_token(
        &self,
        character_id: CharacterId,
        rejected: Option<&SecretString>,
    ) -> Result<TokenSearch, StoreError> {
        let started = Instant::now();
        // Each stream is refreshed once; one that does not serve after that is left out.
        let (mut refreshed, mut left_out) = (Vec::new(), Vec::new());
        loop {
            let mut now = self.refresher.store.streams_of(character_id).await?;
            let without_any = token::choose(&now.streams, now.now, self.token_buffer);
            now.streams.retain(|stream| !left_out.contains(&stream.token_stream_id));
            let token_stream_id = match token::choose(&now.streams, now.now, self.token_buffer) {
                Choice::Use(token_stream_id) => match self.usable(token_stream_id, rejected).await? {
                    Some(token) => return Ok(TokenSearch::Found(token)),
                    None => token_stream_id,
                },
                Choice::Refresh(token_stream_id) => token_stream_id,
                Choice::Nothing(reason) => {
                    let reason = if let Choice::Nothing(all) = without_any { all } else { reason };
                    return Ok(TokenSearch::Nothing(reason));
                }
            };
            if refreshed.contains(&token_stream_id) {
                left_out.push(token_stream_id);
                continue;
            }
            if let Some(wait) = self.pauses.wait_for_sso(&self.refresher.store).await? {
                return Ok(TokenSearch::Failed(wait));
            }
            match self.refresher.refresh(token_stream_id).await? {
                Refreshed::Busy if started.elapsed() < LOOK_FOR => tokio::time::sleep(LOOK_AGAIN).await,
                Refreshed::Busy => {
                    let reason = "this token stream, or all slots for token calls, are in other hands";
                    return Ok(TokenSearch::Failed(Failure::is(FailureClass::Wait(LOOK_FOR), reason)));
                }
                Refreshed::Failed(failure) => return Ok(TokenSearch::Failed(failure)),
                Refreshed::Granted
                | Refreshed::LostRace
                | Refreshed::Refused(_)
                | Refreshed::Quarantined(_)
                | Refreshed::Impossible => refreshed.push(token_stream_id),
            }
        }
    }

    async fn usable(
        &self,
        token_stream_id: TokenStreamId,
        rejected: Option<&SecretString>,
    ) -> Result<Option<SecretString>, StoreError> {
        let token = self.refresher.store.access_token(&self.refresher.keyring, token_stream_id).await?;
        let is_rejected =
            |token: &SecretString| rejected.is_some_and(|other| other.expose_secret() == token.expose_secret());
        Ok(token.filter(|token| !is_rejected(token)))
    }
}
