//! The mark on a file whose tokens belong to another fleet.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::ends::Ends;
use super::{CarryError, check};
use crate::sqlite::{now, text};
use crate::{Face, Store, StoreError};

/// To where a file was moved, or is being moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Moved {
    /// Host, port and name of the database.
    pub destination: String,
    pub begun_at: DateTime<Utc>,
    /// None as long as it is not known that all is there.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Whether the token streams of this file are another fleet's by now: then nobody may work on it. Never of a
    /// PostgreSQL database.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn moved(&self) -> Result<Option<Moved>, StoreError> {
        let Face::Sqlite(file) = &self.face else { return Ok(None) };
        sqlx::query_as("select destination, begun_at, finished_at from moved")
            .fetch_optional(&file.readers)
            .await
            .map_err(StoreError::during("asking whether the file was moved"))
    }

    /// Makes the file its owner's again, and tells to where it had been moved. Only for who knows that the fleet there
    /// has never refreshed a token and never will: what it carries of them is not taken away from it.
    ///
    /// # Errors
    /// When the database does not answer: the mark stands.
    pub async fn take_back(&self) -> Result<Option<Moved>, StoreError> {
        let Face::Sqlite(file) = &self.face else { return Ok(None) };
        sqlx::query_as("delete from moved returning destination, begun_at, finished_at")
            .fetch_optional(&file.writer)
            .await
            .map_err(StoreError::during("taking a move back"))
    }
}

/// Not while a token is being refreshed: its answer may bring another one than that which would be carried.
pub(super) async fn begin(ends: &Ends<'_>) -> Result<(), CarryError> {
    let doing = "marking the file as moved";
    let transaction = ends.source.writer.begin_with("begin immediate").await;
    let mut transaction = transaction.map_err(StoreError::during(doing))?;
    check::no_token_is_being_refreshed(&mut transaction).await?;
    sqlx::query("insert into moved (destination, begun_at) values (?1, ?2)")
        .bind(ends.name())
        .bind(text(now()))
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
    Ok(transaction.commit().await.map_err(StoreError::during(doing))?)
}

pub(super) async fn finish(ends: &Ends<'_>) -> Result<DateTime<Utc>, StoreError> {
    let finished_at = now();
    sqlx::query("update moved set finished_at = ?1")
        .bind(text(finished_at))
        .execute(&ends.source.writer)
        .await
        .map(|_| finished_at)
        .map_err(StoreError::during("marking the move as finished"))
}
