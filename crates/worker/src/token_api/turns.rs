//! One search for one character at a time: who comes meanwhile finds the token, or the trouble, that the first has met.
//!
//! The lease alone lets one refresh follow another, if both were decided upon before the first was through.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use domain::CharacterId;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

#[derive(Default)]
pub(super) struct Turns {
    of_characters: Mutex<HashMap<CharacterId, Weak<Turn<()>>>>,
}

impl Turns {
    /// Ours until the guard is dropped.
    pub(super) async fn of(&self, character_id: CharacterId) -> OwnedMutexGuard<()> {
        let turn = self.queue_of(character_id);
        turn.lock_owned().await
    }

    fn queue_of(&self, character_id: CharacterId) -> Arc<Turn<()>> {
        let mut of_characters = self.of_characters.lock().unwrap_or_else(PoisonError::into_inner);
        of_characters.retain(|_, turn| turn.strong_count() > 0);
        let turn = of_characters.get(&character_id).and_then(Weak::upgrade).unwrap_or_default();
        of_characters.insert(character_id, Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_waits_for_another_of_the_same_character_only() {
        let (turns, [one, other]) = (Turns::default(), [1, 2].map(|id| CharacterId::parse(id).unwrap()));
        let first = turns.of(one).await;
        let mut second = Box::pin(turns.of(one));
        assert!(timeout(Duration::from_secs(60), &mut second).await.is_err());
        drop(turns.of(other).await);
        drop(first);
        drop(second.await);
        turns.of(other).await;
        assert_eq!(turns.of_characters.lock().unwrap().len(), 1, "who is through is forgotten");
    }
}
