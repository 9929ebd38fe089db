//! Changing the key that tokens are sealed with, token by token, under a running fleet.
//!
//! A token is opened, sealed with the first key of the ring, and put back only where the very bytes that were read still
//! stand: a token that a worker has replaced meanwhile is never overwritten by an older one. Each token is a change of its
//! own, so that this can end anywhere and be begun again.

mod postgres;
mod sqlite;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use domain::token::TokenEvent;
use domain::{CharacterId, TokenStreamId};
use serde::Serialize;

use crate::access::dialect;
use crate::seal::{Keyring, SealError, TokenColumn, key_id};
use crate::{Store, StoreError, token_event};

/// How many rows are read at a time, unless a test says otherwise.
pub const ROWS_AT_ONCE: i64 = 500;

/// What one key has sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyUse {
    /// None for bytes that do not say which key has sealed them.
    pub key_id: Option<String>,
    /// Rows of `token_stream` with one token or two of this key.
    pub streams: u64,
    pub access_tokens: u64,
    pub refresh_tokens: u64,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResealProgress {
    pub streams_done: u64,
    /// As many as there were when it began.
    pub streams: u64,
}

/// What has become of the tokens.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Tokens that were sealed anew.
    pub resealed: u64,
    /// Tokens that the first key had sealed already.
    pub sealed_already: u64,
    pub unopenable: Vec<Unopenable>,
    /// It was told to stop before it was through.
    pub is_stopped: bool,
}

/// A token that no key of the ring opens. It stays as it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Unopenable {
    pub token_stream_id: TokenStreamId,
    pub character_id: CharacterId,
    pub column: TokenColumn,
    /// None when the bytes do not say it.
    pub key_id: Option<String>,
    pub why: SealError,
}

impl Store {
    /// Seals every token with the first key of the ring, unless it is already. `watch` is told before the first row and
    /// after every one, and can stop it there.
    ///
    /// # Errors
    /// When the database does not answer: what was sealed anew by then stays so.
    pub async fn reseal(
        &self,
        keyring: &Keyring,
        rows_at_once: i64,
        watch: &mut impl FnMut(ResealProgress) -> ControlFlow<()>,
    ) -> Result<Resealed, StoreError> {
        let streams = dialect!(self.read("counting token streams").await?, count())?;
        let mut progress = ResealProgress { streams_done: 0, streams: u64::try_from(streams).unwrap_or_default() };
        let (mut done, mut after) = (Resealed::default(), 0);
        done.is_stopped = watch(progress).is_break();
        while !done.is_stopped {
            let page = self.page(after, rows_at_once).await?;
            let Some(last) = page.last() else { break };
            after = last.token_stream_id;
            for row in page {
                self.reseal_row(keyring, &row, &mut done).await?;
                progress.streams_done += 1;
                if watch(progress).is_break() {
                    done.is_stopped = true;
                    break;
                }
            }
        }
        Ok(done)
    }

    /// Which keys have sealed what stands in the database, by their ids.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn key_use(&self) -> Result<Vec<KeyUse>, StoreError> {
        let (mut found, mut after) = (BTreeMap::new(), 0);
        loop {
            let page = self.page(after, ROWS_AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(found.into_values().collect()) };
            after = last.token_stream_id;
            for row in &page {
                row.count(&mut found);
            }
        }
    }

    async fn page(&self, after: i64, rows: i64) -> Result<Vec<SealedRow>, StoreError> {
        dialect!(self.read("reading sealed tokens").await?, page(after, rows))
    }

    async fn reseal_row(&self, keyring: &Keyring, row: &SealedRow, done: &mut Resealed) -> Result<(), StoreError> {
        let token_stream_id = TokenStreamId::parse(row.token_stream_id).map_err(StoreError::unexpected)?;
        for (column, sealed) in
            [(TokenColumn::Access, &row.access_token_sealed), (TokenColumn::Refresh, &row.refresh_token_sealed)]
        {
            let Some(sealed) = sealed else { continue };
            match self.reseal_token(keyring, token_stream_id, column, sealed.clone()).await? {
                Became::SealedAnew => done.resealed += 1,
                Became::SealedAlready => done.sealed_already += 1,
                Became::Nothing => {}
                Became::Unopenable { key_id, why } => {
                    let character_id = CharacterId::parse(row.character_id).map_err(StoreError::unexpected)?;
                    done.unopenable.push(Unopenable { token_stream_id, character_id, column, key_id, why });
                }
            }
        }
        Ok(())
    }

    async fn reseal_token(
        &self,
        keyring: &Keyring,
        token_stream_id: TokenStreamId,
        column: TokenColumn,
        mut sealed: Vec<u8>,
    ) -> Result<Became, StoreError> {
        loop {
            let token = match keyring.open(token_stream_id, column, &sealed) {
                Ok(token) => token,
                Err(why) => return Ok(Became::Unopenable { key_id: key_id(&sealed).map(str::to_owned), why }),
            };
            if keyring.has_sealed(&sealed) {
                return Ok(Became::SealedAlready);
            }
            let anew = keyring.seal(token_stream_id, column, &token);
            let mut transaction = self.transaction("sealing a token anew").await?;
            let is_swapped = dialect!(transaction, swap(token_stream_id, column, &sealed, &anew))?;
            if is_swapped {
                let (from, to) = (key_id(&sealed).unwrap_or_default(), key_id(&anew).unwrap_or_default());
                token_event::record(&mut transaction, token_stream_id, TokenEvent::KeyChanged { from, to }).await?;
            }
            transaction.commit().await?;
            if is_swapped {
                return Ok(Became::SealedAnew);
            }
            // A worker was quicker: its token is the good one, and may be sealed with the old key too.
            let mut access = self.read("reading a sealed token again").await?;
            match dialect!(access, sealed(token_stream_id, column))? {
                Some(now) => sealed = now,
                None => return Ok(Became::Nothing),
            }
        }
    }
}

enum Became {
    SealedAnew,
    SealedAlready,
    Unopenable {
        key_id: Option<String>,
        why: SealError,
    },
    /// It was removed meanwhile.
    Nothing,
}

#[derive(sqlx::FromRow)]
struct SealedRow {
    token_stream_id: i64,
    character_id: i64,
    access_token_sealed: Option<Vec<u8>>,
    refresh_token_sealed: Option<Vec<u8>>,
}

impl SealedRow {
    fn count(&self, found: &mut BTreeMap<Option<String>, KeyUse>) {
        let id = |sealed: &Option<Vec<u8>>| sealed.as_ref().map(|sealed| key_id(sealed).map(str::to_owned));
        let (access, refresh) = (id(&self.access_token_sealed), id(&self.refresh_token_sealed));
        let both = access == refresh;
        for (id, is_access) in [(refresh, false), (access, true)] {
            let Some(key_id) = id else { continue };
            let none = KeyUse { key_id: key_id.clone(), streams: 0, access_tokens: 0, refresh_tokens: 0 };
            let found = found.entry(key_id).or_insert(none);
            found.access_tokens += u64::from(is_access);
            found.refresh_tokens += u64::from(!is_access);
            // A row with two tokens of one key is one row.
            found.streams += u64::from(!(is_access && both));
        }
    }
}
