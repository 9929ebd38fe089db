//! Token streams, the last to be carried: sealed anew on the way, for the first key of the ring and the same row.

use chrono::{DateTime, Utc};
use domain::TokenStreamId;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx_sqlite::SqliteConnection;

use super::ends::{Ends, in_destination, in_source};
use super::table::Table;
use super::{CarryError, Refusal};
use crate::StoreError;
use crate::seal::{Keyring, TokenColumn};

/// Of the checks that come before everything else.
const ROWS_OPENED_AT_ONCE: i64 = 1_000;

#[derive(Debug, PartialEq, Serialize, sqlx::FromRow)]
struct Columns {
    token_stream_id: i64,
    character_id: i64,
    state: String,
    /// Not there any more once it has been opened.
    access_token_sealed: Option<Vec<u8>>,
    /// Not there any more once it has been opened.
    refresh_token_sealed: Option<Vec<u8>>,
    refresh_token_version: i64,
    expires_at: Option<DateTime<Utc>>,
    owner_hash: Option<String>,
    granted_scopes: Json<Vec<String>>,
    strikes: i32,
    first_refused_at: Option<DateTime<Utc>>,
    next_probe_at: Option<DateTime<Utc>>,
    last_error_code: Option<String>,
    last_error: Option<String>,
    last_error_at: Option<DateTime<Utc>>,
    last_refreshed_at: Option<DateTime<Utc>>,
    /// In the past, which is what tells the next claim of a lost answer.
    lease_until: Option<DateTime<Utc>>,
    fence: i64,
    created_at: DateTime<Utc>,
    refused_scopes: Json<Vec<String>>,
    scope_refused_at: Option<DateTime<Utc>>,
    first_error_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    looked_at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
pub(super) struct Stream {
    token_stream_id: TokenStreamId,
    columns: Columns,
    access_token: Option<SecretString>,
    refresh_token: Option<SecretString>,
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        let same = |left: &Option<SecretString>, right: &Option<SecretString>| {
            left.as_ref().map(ExposeSecret::expose_secret) == right.as_ref().map(ExposeSecret::expose_secret)
        };
        self.columns == other.columns
            && same(&self.access_token, &other.access_token)
            && same(&self.refresh_token, &other.refresh_token)
    }
}

pub(super) struct Streams<'a> {
    pub(super) keyring: &'a Keyring,
}

/// Refuses if a token of the file does not open.
pub(super) async fn open_all(ends: &Ends<'_>, keyring: &Keyring) -> Result<(), CarryError> {
    let (streams, mut after) = (Streams { keyring }, None);
    let mut source = ends.read_source().await?;
    while let Some(last) = streams.page(&mut source, after.as_ref(), ROWS_OPENED_AT_ONCE).await?.last() {
        after = Some(Streams::key(last));
    }
    Ok(())
}

impl Table for Streams<'_> {
    const NAME: &'static str = "token_stream";
    type Row = Stream;
    type Key = i64;

    fn key(row: &Stream) -> i64 {
        row.columns.token_stream_id
    }

    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&i64>,
        rows_max: i64,
    ) -> Result<Vec<Stream>, CarryError> {
        let rows: Vec<Columns> =
            sqlx::query_as("select * from token_stream where token_stream_id > ?1 order by token_stream_id limit ?2")
                .bind(after.unwrap_or(&i64::MIN))
                .bind(rows_max)
                .fetch_all(source)
                .await
                .map_err(in_source)?;
        rows.into_iter().map(|row| self.open(row)).collect()
    }

    async fn there(&self, destination: &mut PgConnection, rows: &[Stream]) -> Result<Vec<Stream>, CarryError> {
        let ids: Vec<i64> = rows.iter().map(Self::key).collect();
        let there = sqlx::query_as!(
            Columns,
            r#"select token_stream_id, character_id, state, access_token_sealed, refresh_token_sealed,
                      refresh_token_version, expires_at, owner_hash,
                      to_jsonb(granted_scopes) as "granted_scopes!: Json<Vec<String>>", strikes, first_refused_at,
                      next_probe_at, last_error_code, last_error, last_error_at, last_refreshed_at,
                      lease_until, fence, created_at,
                      to_jsonb(refused_scopes) as "refused_scopes!: Json<Vec<String>>", scope_refused_at,
                      first_error_at, last_used_at, looked_at
               from token_stream where token_stream_id = any($1)"#,
            &ids
        );
        let there = there.fetch_all(destination).await.map_err(in_destination)?;
        there.into_iter().map(|row| self.open(row)).collect()
    }

    async fn insert(&self, destination: &mut PgConnection, rows: &[Stream]) -> sqlx::Result<u64> {
        let mut inserted = 0;
        for row in rows {
            inserted += self.insert_one(destination, row).await?;
        }
        Ok(inserted)
    }
}

impl Streams<'_> {
    fn open(&self, mut columns: Columns) -> Result<Stream, CarryError> {
        let token_stream_id = TokenStreamId::parse(columns.token_stream_id).map_err(StoreError::unexpected)?;
        let open = |column, sealed: Option<Vec<u8>>| {
            let opened = sealed.map(|sealed| self.keyring.open(token_stream_id, column, &sealed));
            opened.transpose().map_err(|why| Refusal::Unopenable { token_stream_id, why })
        };
        let access_token = open(TokenColumn::Access, columns.access_token_sealed.take())?;
        let refresh_token = open(TokenColumn::Refresh, columns.refresh_token_sealed.take())?;
        Ok(Stream { token_stream_id, columns, access_token, refresh_token })
    }

    async fn insert_one(&self, destination: &mut PgConnection, row: &Stream) -> sqlx::Result<u64> {
        let inserted = sqlx::query!(
            r#"insert into token_stream overriding system value
               select r.* from jsonb_populate_record(null::token_stream, $1) r on conflict do nothing"#,
            Json(&row.columns) as _
        );
        if inserted.execute(&mut *destination).await?.rows_affected() == 0 {
            return Ok(0);
        }
        let seal = |column, token: &Option<SecretString>| {
            token.as_ref().map(|token| self.keyring.seal(row.token_stream_id, column, token))
        };
        sqlx::query!(
            "update token_stream set access_token_sealed = $2, refresh_token_sealed = $3 where token_stream_id = $1",
            row.columns.token_stream_id,
            seal(TokenColumn::Access, &row.access_token),
            seal(TokenColumn::Refresh, &row.refresh_token)
        )
        .execute(destination)
        .await?;
        Ok(1)
    }
}
