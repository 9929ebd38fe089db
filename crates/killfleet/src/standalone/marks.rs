//! Taking back the marks of hints that nobody will act on, so that the next tick hints their rows again.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::{Job, SyncList};
use store::Store;

/// A mark that cannot be taken back goes stale by itself; one of a row that somebody works on stays.
pub(super) async fn take_back(store: &Store, jobs: Vec<Job>) {
    let (mut characters, mut killmails) = (BTreeSet::new(), BTreeSet::new());
    let (mut corporations, mut unasked) = (BTreeSet::new(), BTreeSet::new());
    let (mut exercised, mut looked_at) = (BTreeSet::new(), BTreeSet::new());
    for job in jobs {
        match job {
            Job::SyncList(SyncList { character_id, .. })
            | Job::RefreshToken { then: SyncList { character_id, .. }, .. } => {
                characters.insert(character_id);
            }
            Job::SyncCorporationList { corporation_id, .. } => {
                corporations.insert(corporation_id);
            }
            Job::LearnAffiliations { character_ids } => unasked.extend(character_ids),
            Job::FetchDetails { killmail_ids } => killmails.extend(killmail_ids),
            Job::ExerciseToken { token_stream_id } => {
                exercised.insert(token_stream_id);
            }
            Job::LookAtToken { token_stream_id } => {
                looked_at.insert(token_stream_id);
            }
        }
    }
    let taken_back = async {
        if !characters.is_empty() {
            store.unmark_characters(&Vec::from_iter(characters)).await?;
        }
        if !corporations.is_empty() {
            store.unmark_corporations(&Vec::from_iter(corporations)).await?;
        }
        if !unasked.is_empty() {
            store.put_off_affiliations(&Vec::from_iter(unasked), Duration::ZERO).await?;
        }
        if !killmails.is_empty() {
            store.unmark_killmails(&Vec::from_iter(killmails)).await?;
        }
        if !exercised.is_empty() {
            store.unmark_exercises(&Vec::from_iter(exercised)).await?;
        }
        if !looked_at.is_empty() {
            store.unmark_looks(&Vec::from_iter(looked_at)).await?;
        }
        Ok::<_, store::StoreError>(())
    };
    if let Err(error) = taken_back.await {
        tracing::error!(reason = %error.failure(), "hints could not be taken back: they go stale in five minutes");
    }
}
