//! Where siblings wait for their answer, each for its turn and none for too long.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::answer::Answer;
use super::recent::Recent;
use super::turns::Turns;
use crate::sibling::{IssuedToken, NotIssued, TokenRequest};

/// Searches at the same time, each for another character: jobs need the database too.
const SEARCHES_AT_ONCE: usize = 8;
/// Whoever asks waits no longer than this. A refresh that is under way by then goes on, and the next one finds its
/// token.
const ANSWER_WITHIN: Duration = Duration::from_secs(25);
/// By then a token call that has hung for so long is over, one way or the other: it takes 30 s at the most, and 5 s to
/// find out where to send it.
const RETRY_LATE: Duration = Duration::from_secs(10);

pub(super) struct Desk {
    turns: Turns,
    searches: Semaphore,
    recent: Recent,
}

impl Default for Desk {
    fn default() -> Self {
        Self { turns: Turns::default(), searches: Semaphore::new(SEARCHES_AT_ONCE), recent: Recent::default() }
    }
}

impl Desk {
    /// `search` is begun only if nobody has just met with trouble who asked for the same, and is dropped when it takes
    /// too long.
    pub(super) async fn answer(
        &self,
        request: &TokenRequest,
        search: impl Future<Output = Result<IssuedToken, NotIssued>>,
    ) -> Answer {
        let until = Instant::now() + ANSWER_WITHIN;
        let Ok(_turn) = timeout_at(until, self.turns.of(request.character_id)).await else { return too_late() };
        if let Some(answer) = self.recent.answer_to(request) {
            return answer;
        }
        let searching = async {
            // It is never closed.
            let _permit = self.searches.acquire().await;
            search.await
        };
        let answer = match timeout_at(until, searching).await {
            Ok(Ok(token)) => return Answer::token(&token),
            Ok(Err(why @ NotIssued::NotNow { .. })) => Answer::not_issued(&why),
            Ok(Err(why)) => {
                if let NotIssued::Store(error) = &why {
                    warn!(reason = %error.failure(), "an access token could not be issued");
                }
                return Answer::not_issued(&why);
            }
            // Whoever comes next would only wait for the same call.
            Err(_) => too_late(),
        };
        // Before the turn ends: those who have waited for it are answered with this too.
        self.recent.remember(request, answer.clone());
        answer
    }
}

fn too_late() -> Answer {
    Answer::not_now("no token was found in time: its login is in other hands, or EVE SSO does not answer", RETRY_LATE)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::response::IntoResponse;
    use chrono::DateTime;
    use domain::CharacterId;
    use secrecy::SecretString;
    use tokio::time::{advance, timeout};

    use super::*;

    fn request(id: i64) -> TokenRequest {
        let character_id = CharacterId::parse(id).unwrap();
        TokenRequest { character_id, scopes: Vec::new(), sibling: "a test".to_owned() }
    }

    /// The status of an answer, its `Retry-After` in seconds, and how many seconds it took.
    async fn told(answer: impl Future<Output = Answer>) -> (u16, Option<u64>, u64) {
        let since = Instant::now();
        let answer = answer.await;
        let retry_after = answer.retry_after().map(|span| span.as_secs());
        (answer.into_response().status().as_u16(), retry_after, since.elapsed().as_secs())
    }

    async fn found() -> Result<IssuedToken, NotIssued> {
        let (secret, expires_at) = (SecretString::from("token"), DateTime::UNIX_EPOCH);
        Ok(IssuedToken { character_id: request(1).character_id, secret, expires_at, scopes: Vec::new() })
    }

    async fn nobody_searches() -> Result<IssuedToken, NotIssued> {
        panic!("a search was begun beside the one that hangs");
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_is_waited_for_by_one_and_the_next_ones_are_told_so_at_once() {
        let (desk, hanging) = (Desk::default(), request(1));
        let meanwhile = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            told(desk.answer(&hanging, nobody_searches())).await
        };
        let (first, second) = tokio::join!(told(desk.answer(&hanging, pending())), meanwhile);
        assert_eq!((first, second), ((503, Some(10), 25), (503, Some(10), 24)));
        advance(Duration::from_secs(4)).await;
        assert_eq!(told(desk.answer(&hanging, nobody_searches())).await, (503, Some(6), 0));
        assert_eq!(told(desk.answer(&request(2), found())).await, (200, None, 0), "another character");
        advance(Duration::from_secs(6)).await;
        assert_eq!(told(desk.answer(&hanging, found())).await, (200, None, 0), "the token that it brought");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_hangs_up_leaves_its_turn_to_the_next() {
        let (desk, asked) = (Desk::default(), request(1));
        let hung_up = timeout(Duration::from_secs(5), desk.answer(&asked, pending())).await;
        assert!(hung_up.is_err());
        assert_eq!(told(desk.answer(&asked, found())).await, (200, None, 0));
    }
}
