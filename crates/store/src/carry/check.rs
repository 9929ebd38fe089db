//! What must hold before the first row is written.

use std::collections::BTreeSet;

use domain::TokenStreamId;
use sqlx_sqlite::SqliteConnection;

use super::ends::{Ends, in_destination, in_source};
use super::mark::Moved;
use super::{CarryError, Refusal, token_stream};
use crate::StoreError;
use crate::seal::Keyring;
use crate::sqlite::now_text;

pub(super) async fn before_anything_is_written(
    ends: &Ends<'_>,
    moved: Option<&Moved>,
    keyring: &Keyring,
) -> Result<(), CarryError> {
    let destination = ends.name();
    match moved {
        Some(moved) if moved.destination != destination => {
            return Err(Refusal::MovedElsewhere { other: moved.destination.clone(), destination }.into());
        }
        // The fleet there goes its own way by now.
        Some(moved) if moved.finished_at.is_some() => return Ok(()),
        _ => {}
    }
    no_token_is_being_refreshed(&mut *ends.read_source().await?).await?;
    token_stream::open_all(ends, keyring).await?;
    let there = Owners::of_destination(ends).await?;
    let here = Owners::of_source(ends).await?;
    let foreign = |what| Refusal::NotEmpty { destination: destination.clone(), what };
    if !there.characters.is_subset(&here.characters) {
        return Err(foreign("characters").into());
    }
    if !there.streams.is_subset(&here.streams) {
        return Err(foreign("token streams").into());
    }
    // Streams are written under the mark only. Those that came here before it was taken back may be outdated by now.
    if moved.is_none() && !there.streams.is_empty() {
        return Err(Refusal::TakenBack { destination }.into());
    }
    Ok(())
}

/// By a command that works beside us on the file; or by a process that has just died, which nobody can tell from it.
pub(super) async fn no_token_is_being_refreshed(source: &mut SqliteConnection) -> Result<(), CarryError> {
    let stream: Option<i64> =
        sqlx::query_scalar("select token_stream_id from token_stream where lease_until > ?1 order by 1 limit 1")
            .bind(now_text())
            .fetch_optional(source)
            .await
            .map_err(in_source)?;
    let Some(stream) = stream else { return Ok(()) };
    let token_stream_id = TokenStreamId::parse(stream).map_err(StoreError::unexpected)?;
    Err(Refusal::BeingRefreshed { token_stream_id }.into())
}

/// Whom the tokens of a database belong to.
struct Owners {
    characters: BTreeSet<i64>,
    /// The ids of streams with those of their characters.
    streams: BTreeSet<(i64, i64)>,
}

impl Owners {
    async fn of_source(ends: &Ends<'_>) -> Result<Self, StoreError> {
        let mut source = ends.read_source().await?;
        let characters: Vec<i64> = sqlx::query_scalar("select character_id from character")
            .fetch_all(&mut *source)
            .await
            .map_err(in_source)?;
        let streams: Vec<(i64, i64)> = sqlx::query_as("select token_stream_id, character_id from token_stream")
            .fetch_all(&mut *source)
            .await
            .map_err(in_source)?;
        Ok(Self { characters: characters.into_iter().collect(), streams: streams.into_iter().collect() })
    }

    async fn of_destination(ends: &Ends<'_>) -> Result<Self, StoreError> {
        let mut destination = ends.read_destination().await?;
        let characters = sqlx::query_scalar!("select character_id from character")
            .fetch_all(&mut *destination)
            .await
            .map_err(in_destination)?;
        let streams = sqlx::query!("select token_stream_id, character_id from token_stream")
            .fetch_all(&mut *destination)
            .await
            .map_err(in_destination)?;
        Ok(Self {
            characters: characters.into_iter().collect(),
            streams: streams.into_iter().map(|row| (row.token_stream_id, row.character_id)).collect(),
        })
    }
}
