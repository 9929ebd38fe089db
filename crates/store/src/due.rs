//! The scheduler's side: what is due, and the claim that puts at most one hint per row into the broker.
//!
//! Load, decide, claim: due characters are read without being touched, the rule in `domain::plan` decides, and one
//! statement marks those that are to be queued. The mark is taken under a row lock that other schedulers skip, and
//! the conditions are asked again under it, so two ticks at once never queue a character twice. A mark whose hint was
//! lost goes stale after [`lease::HINT_STALE_AFTER`].

use chrono::{DateTime, Utc};
use domain::plan::DueCharacter;
use domain::{CharacterId, KillmailId};

use crate::{Store, StoreError, lease};

/// Which characters a tick looks at.
#[derive(Debug, Clone, Copy, Default)]
pub struct DueFilter {
    /// Whatever their tier says; never before ESI's Expires.
    pub force: bool,
    /// All pages, also of lists that were seen to their end.
    pub full: bool,
    pub character_id: Option<CharacterId>,
}

/// Where the next page of due characters begins.
#[derive(Debug, Clone, Copy)]
pub struct DueCursor(DateTime<Utc>, i64);

/// Some of the due characters, those that have waited longest first.
#[derive(Debug)]
pub struct DuePage {
    pub characters: Vec<DueCharacter>,
    pub now: DateTime<Utc>,
    /// None when this was the last page.
    pub next: Option<DueCursor>,
}

impl Store {
    /// # Errors
    /// When the database does not answer.
    pub async fn due_characters(
        &self,
        filter: DueFilter,
        after: Option<DueCursor>,
        limit: u32,
    ) -> Result<DuePage, StoreError> {
        let now = self.now().await?;
        let rows = sqlx::query!(
            r#"select character_id, next_sync_at from character
               where ($1 or next_sync_at <= now())
                 and (list_expires_at is null or list_expires_at <= now() or (resume_page > 1 and not $2))
                 and (hinted_at is null or hinted_at <= now() - make_interval(secs => $3))
                 and (lease_until is null or lease_until <= now())
                 and ($4::bigint is null or character_id = $4)
                 and ($5::timestamptz is null or (next_sync_at, character_id) > ($5, $6))
               order by next_sync_at, character_id
               limit $7"#,
            filter.force,
            filter.full,
            lease::seconds(lease::HINT_STALE_AFTER),
            filter.character_id.map(CharacterId::get),
            after.map(|cursor| cursor.0),
            after.map_or(0, |cursor| cursor.1),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::during("looking for due characters"))?;
        let is_last_page = rows.len() < limit as usize;
        let next = rows.last().filter(|_| !is_last_page).map(|row| DueCursor(row.next_sync_at, row.character_id));
        let ids: Vec<CharacterId> = rows
            .iter()
            .map(|row| CharacterId::parse(row.character_id).map_err(StoreError::unexpected))
            .collect::<Result<_, _>>()?;
        let mut streams = self.streams_of_all(&ids).await?;
        let characters = ids
            .into_iter()
            .map(|character_id| DueCharacter {
                character_id,
                streams: streams.remove(&character_id).unwrap_or_default(),
            })
            .collect();
        Ok(DuePage { characters, now, next })
    }

    /// Marks these characters as hinted and returns those that nobody else has taken meanwhile.
    ///
    /// # Errors
    /// When the database does not answer: then none is marked.
    pub async fn claim_due_characters(
        &self,
        filter: DueFilter,
        character_ids: &[CharacterId],
    ) -> Result<Vec<CharacterId>, StoreError> {
        let ids: Vec<i64> = character_ids.iter().map(|id| id.get()).collect();
        sqlx::query_scalar!(
            r#"with free as (
                   select character_id from character
                   where character_id = any($1)
                     and ($2 or next_sync_at <= now())
                     and (list_expires_at is null or list_expires_at <= now() or (resume_page > 1 and not $3))
                     and (hinted_at is null or hinted_at <= now() - make_interval(secs => $4))
                     and (lease_until is null or lease_until <= now())
                   for update skip locked)
               update character c
               set hinted_at = now(), resume_page = case when $3 then 1 else c.resume_page end
               from free where free.character_id = c.character_id
               returning c.character_id"#,
            &ids,
            filter.force,
            filter.full,
            lease::seconds(lease::HINT_STALE_AFTER)
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::during("claiming due characters"))?
        .into_iter()
        .map(|id| CharacterId::parse(id).map_err(StoreError::unexpected))
        .collect()
    }

    /// Takes back the marks of hints that the broker did not confirm.
    ///
    /// # Errors
    /// When the database does not answer: the marks go stale by themselves.
    pub async fn unmark_characters(&self, character_ids: &[CharacterId]) -> Result<(), StoreError> {
        let ids: Vec<i64> = character_ids.iter().map(|id| id.get()).collect();
        sqlx::query!(
            r#"update character set hinted_at = null
               where character_id = any($1) and (lease_until is null or lease_until <= now())"#,
            &ids
        )
        .execute(&self.pool)
        .await
        .map_err(StoreError::during("taking back hints of characters"))?;
        Ok(())
    }

    /// Marks up to `limit` wanted killmails that nobody works on as hinted: those without any hint first,
    /// then those that have waited longest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_due_killmails(&self, limit: u32) -> Result<Vec<KillmailId>, StoreError> {
        sqlx::query_scalar!(
            r#"with due as (
                   select killmail_id from killmail_ref
                   where state = 'wanted' and due_at <= now()
                     and (hinted_at is null or hinted_at <= now() - make_interval(secs => $2))
                     and (lease_until is null or lease_until <= now())
                   order by (hinted_at is not null), due_at, killmail_id
                   limit $1
                   for update skip locked)
               update killmail_ref r set hinted_at = now()
               from due where due.killmail_id = r.killmail_id
               returning r.killmail_id"#,
            i64::from(limit),
            lease::seconds(lease::HINT_STALE_AFTER)
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::during("claiming wanted killmails"))?
        .into_iter()
        .map(|id| KillmailId::parse(id).map_err(StoreError::unexpected))
        .collect()
    }

    /// How many killmails [`Store::claim_due_killmails`] would find, for a look without a touch.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_due_killmails(&self) -> Result<u64, StoreError> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from killmail_ref
               where state = 'wanted' and due_at <= now()
                 and (hinted_at is null or hinted_at <= now() - make_interval(secs => $1))
                 and (lease_until is null or lease_until <= now())"#,
            lease::seconds(lease::HINT_STALE_AFTER)
        )
        .fetch_one(&self.pool)
        .await
        .map_err(StoreError::during("counting wanted killmails"))?;
        u64::try_from(count).map_err(StoreError::unexpected)
    }

    /// Takes back the marks of hints that the broker did not confirm.
    ///
    /// # Errors
    /// When the database does not answer: the marks go stale by themselves.
    pub async fn unmark_killmails(&self, killmail_ids: &[KillmailId]) -> Result<(), StoreError> {
        let ids: Vec<i64> = killmail_ids.iter().map(|id| id.get()).collect();
        sqlx::query!(
            r#"update killmail_ref set hinted_at = null
               where killmail_id = any($1) and (lease_until is null or lease_until <= now())"#,
            &ids
        )
        .execute(&self.pool)
        .await
        .map_err(StoreError::during("taking back hints of killmails"))?;
        Ok(())
    }

    /// Removes records of list walks that are older than 30 days; returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune_sync_runs(&self) -> Result<u64, StoreError> {
        let pruned = sqlx::query!("delete from sync_run where finished_at < now() - interval '30 days'")
            .execute(&self.pool)
            .await
            .map_err(StoreError::during("removing old records of list walks"))?;
        Ok(pruned.rows_affected())
    }
}
