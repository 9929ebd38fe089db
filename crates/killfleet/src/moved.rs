//! A file whose tokens were moved to another fleet is not worked on any more.

use anyhow::bail;
use store::Store;
use store::carry::Moved;

use crate::commands::from_store;

/// # Errors
/// The file was moved, or a move of it has been begun; the line says what to do.
pub(crate) async fn refuse_moved(store: &Store) -> anyhow::Result<()> {
    match store.moved().await.map_err(from_store)? {
        None => Ok(()),
        Some(Moved { destination, finished_at: Some(_), .. }) => bail!(
            "this file was moved to {destination}: its tokens belong to the fleet there, and a login that two use can be \
             lost. If that fleet was never started: `killfleet move --take-back --from sqlite:…`"
        ),
        Some(Moved { destination, finished_at: None, .. }) => bail!(
            "a move of this file to {destination} was begun and has not finished: run the same `killfleet move` again. If \
             the fleet there was never started, `killfleet move --take-back --from sqlite:…` gives the file back"
        ),
    }
}
