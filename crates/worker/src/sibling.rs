//! Access tokens for sibling services: whoever needs one asks here, so that nobody else refreshes a login of ours.
//!
//! A token is looked for as for a list, under the same lease, and of a stream that holds the scopes that are asked for. It
//! outlives the buffer; only if none does and none can be had, one that ends sooner is given.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::token::{self, Choice, NoToken, StreamState};
use domain::{CharacterId, Failure, FailureClass, TokenStreamId};
use secrecy::SecretString;
use store::sibling::TokenToIssue;
use store::{StoreError, token_stream::StreamsNow};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::good_token::{Purpose, TokenSearch};
use crate::worker::Worker;

/// What a sibling asks for.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    pub character_id: CharacterId,
    /// The token has to hold all of them; none asks for no particular one.
    pub scopes: Vec<String>,
    /// Who asks, as it is remembered.
    pub sibling: String,
}

/// An access token on its way to a sibling.
#[derive(Debug)]
pub struct IssuedToken {
    pub character_id: CharacterId,
    pub secret: SecretString,
    pub expires_at: DateTime<Utc>,
    /// Those that were asked for; all that it holds when none was.
    pub scopes: Vec<String>,
}

/// Why there is none.
#[derive(Debug, Error)]
pub enum NotIssued {
    #[error("no character {0} is known")]
    UnknownCharacter(CharacterId),
    #[error("no login of this character that can be used holds the scopes that were asked for")]
    ScopeMissing,
    /// Only its pilot can help, or time.
    #[error("{}", in_words(*.reason))]
    Login { reason: NoToken, retry_after: Duration },
    /// Nothing that speaks of the logins.
    #[error("there is no good token now: {failure}")]
    NotNow { failure: Failure, retry_after: Duration },
    #[error("this process is stopping")]
    Stopping,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token with less left than this is of no use to anybody.
const USEFUL_FOR: Duration = Duration::from_secs(30);
/// Between finding a token and reading it others may replace it, by one that holds less.
const SEARCHES_MAX: u32 = 5;
/// A pilot who has to sign in does not do so within minutes.
const RETRY_LOGIN: Duration = Duration::from_secs(3600);
const RETRY_SETTINGS: Duration = Duration::from_secs(300);
const RETRY_TRANSIENT: Duration = Duration::from_secs(30);

impl Worker {
    /// # Errors
    /// [`NotIssued`] says why there is no token, and when it is worth asking again.
    pub async fn issue_token(
        &self,
        request: &TokenRequest,
        stop: &CancellationToken,
    ) -> Result<IssuedToken, NotIssued> {
        let token = self.find_token(request, stop).await?;
        // Before it is given away, and not at all if it cannot be written down.
        self.store().record_use(token.token_stream_id, &request.sibling).await?;
        Ok(issue(request, token))
    }

    async fn find_token(&self, request: &TokenRequest, stop: &CancellationToken) -> Result<TokenToIssue, NotIssued> {
        let TokenRequest { character_id, scopes, .. } = request;
        if !self.store().has_character(*character_id).await? {
            return Err(NotIssued::UnknownCharacter(*character_id));
        }
        for _ in 0..SEARCHES_MAX {
            let search = self.token_for(Purpose::Sibling(scopes), *character_id, stop).await?;
            if let TokenSearch::Found(found) = search {
                match self.read(found.token_stream_id, scopes).await? {
                    Some(token) => return Ok(token),
                    None => continue,
                }
            }
            let streams = self.store().streams_with_scopes(*character_id, scopes).await?;
            // Within the buffer, and better than none.
            if let Choice::Use(token_stream_id) = token::choose(&streams.streams, streams.now, USEFUL_FOR)
                && let Some(token) = self.read(token_stream_id, scopes).await?
            {
                return Ok(token);
            }
            return Err(not_issued(search, &streams));
        }
        let failure = Failure::is(FailureClass::Transient, "its tokens are being replaced again and again");
        Err(NotIssued::NotNow { failure, retry_after: RETRY_TRANSIENT })
    }

    /// None when it is gone by now, is of no use, or has become one without the scopes.
    async fn read(
        &self,
        token_stream_id: TokenStreamId,
        scopes: &[String],
    ) -> Result<Option<TokenToIssue>, StoreError> {
        let token = match self.store().token_to_issue(self.refresher.keyring(), token_stream_id).await {
            // A key was changed meanwhile; whoever chooses next says so in the row.
            Err(StoreError::Seal(_)) => None,
            token => token?,
        };
        Ok(token.filter(|token| {
            token::outlives(token.expires_at, token.now, Duration::ZERO)
                && scopes.iter().all(|scope| token.scopes.contains(scope))
        }))
    }
}

fn issue(request: &TokenRequest, token: TokenToIssue) -> IssuedToken {
    let TokenToIssue { token_stream_id, secret, expires_at, scopes: held, .. } = token;
    let TokenRequest { character_id, scopes: asked, sibling } = request;
    info!(
        character.id = character_id.get(),
        token_stream.id = token_stream_id.get(),
        sibling,
        scopes = asked.join(" "),
        %expires_at,
        "an access token was issued"
    );
    let scopes = if asked.is_empty() { held } else { asked.clone() };
    IssuedToken { character_id: *character_id, secret, expires_at, scopes }
}

fn not_issued(search: TokenSearch, StreamsNow { streams, now }: &StreamsNow) -> NotIssued {
    match search {
        TokenSearch::Nothing(NoToken::ScopeMissing) => NotIssued::ScopeMissing,
        TokenSearch::Nothing(reason) => {
            let probes = streams.iter().filter(|stream| stream.health.state == StreamState::Suspect);
            let next_probe = probes.filter_map(|stream| stream.health.next_probe_at).min();
            let until_then = next_probe.and_then(|at| (at - *now).to_std().ok());
            let retry_after = match reason {
                NoToken::WaitingForProbe => until_then.unwrap_or(RETRY_TRANSIENT),
                _ => RETRY_LOGIN,
            };
            NotIssued::Login { reason, retry_after }
        }
        TokenSearch::Failed(failure) => {
            let retry_after = match failure.class {
                FailureClass::Wait(remaining) => remaining,
                FailureClass::Transient => RETRY_TRANSIENT,
                FailureClass::Refused | FailureClass::Configuration | FailureClass::Ours => RETRY_SETTINGS,
            };
            NotIssued::NotNow { failure, retry_after }
        }
        TokenSearch::Stopped | TokenSearch::Found(_) => NotIssued::Stopping,
    }
}

fn in_words(reason: NoToken) -> &'static str {
    match reason {
        NoToken::BothTokensMissing => "this character has no login: its pilot has to sign in",
        NoToken::NeedsLogin => "no login of this character works any more: its pilot has to sign in again",
        NoToken::WaitingForProbe => "EVE SSO has refused the logins of this character: they are tried again later",
        NoToken::ScopeMissing => "no login of this character holds the scopes",
    }
}
