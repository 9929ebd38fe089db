//! What was answered a moment ago because something outside had trouble: for as long as the answer says, it is given again
//! instead of asking EVE SSO once more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::CharacterId;
use tokio::time::Instant;

use super::answer::Answer;
use crate::sibling::TokenRequest;

/// However long a pause is: it may end before, and is looked at again.
const KEPT_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Recent {
    answers: Mutex<HashMap<(CharacterId, Vec<String>), Kept>>,
}

struct Kept {
    answer: Answer,
    since: Instant,
    until: Instant,
}

impl Recent {
    pub(super) fn answer_to(&self, request: &TokenRequest) -> Option<Answer> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = answers.get(&key(request)).filter(|kept| Instant::now() < kept.until)?;
        Some(kept.answer.clone().later(kept.since.elapsed()))
    }

    pub(super) fn remember(&self, request: &TokenRequest, answer: Answer) {
        let Some(span) = answer.retry_after() else { return };
        let since = Instant::now();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|_, kept| since < kept.until);
        answers.insert(key(request), Kept { answer, since, until: since + span.min(KEPT_MAX) });
    }
}

fn key(request: &TokenRequest) -> (CharacterId, Vec<String>) {
    (request.character_id, request.scopes.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: i64, scopes: &[&str]) -> TokenRequest {
        let character_id = CharacterId::parse(id).unwrap();
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        TokenRequest { character_id, scopes, sibling: "a test".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_given_again_until_its_time_is_over() {
        let recent = Recent::default();
        recent.remember(&request(1, &["a"]), Answer::not_now("trouble", Duration::from_secs(20)));
        recent.remember(&request(2, &[]), Answer::not_now("a long pause", Duration::from_secs(600)));
        tokio::time::advance(Duration::from_secs(15)).await;
        let again = recent.answer_to(&request(1, &["a"])).unwrap();
        assert_eq!(again.retry_after(), Some(Duration::from_secs(5)));
        assert!(recent.answer_to(&request(1, &["b"])).is_none() && recent.answer_to(&request(3, &["a"])).is_none());
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(recent.answer_to(&request(1, &["a"])).is_none());
        let of_the_pause = recent.answer_to(&request(2, &[])).unwrap();
        assert_eq!(of_the_pause.retry_after(), Some(Duration::from_secs(580)));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(recent.answer_to(&request(2, &[])).is_none(), "it may have ended before its time");
        recent.remember(&request(4, &[]), Answer::not_now("trouble", Duration::from_secs(20)));
        assert_eq!(recent.answers.lock().unwrap().len(), 1, "what is over is forgotten");
    }
}
