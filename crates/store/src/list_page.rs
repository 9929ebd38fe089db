//! One page of a killmail list: saved whole, with the step that follows in the same transaction.
//!
//! Its references, which of their bodies are now asked for, and either the page at which the walk goes on or the end of
//! the walk: a crash at any moment leaves a row from which the walk goes on without a hole.

use std::time::Duration;

use domain::list_walk::{self, PageSeen};
use domain::{CharacterId, KillmailId, KillmailRef, SyncMode};
use sqlx::{Postgres, Transaction};

use crate::list_job::{ListClaim, end_walk};
use crate::{Store, StoreError, lease};

/// A page as ESI answered it.
#[derive(Debug)]
pub struct ListedPage<'a> {
    pub page: u32,
    pub references: &'a [KillmailRef],
    /// `X-Pages`.
    pub pages: u32,
    pub etag: Option<&'a str>,
    /// How long ESI will give this same answer.
    pub lives_for: Duration,
    pub mode: SyncMode,
}

#[derive(Debug)]
pub struct PageSaved {
    /// None when the walk is at its end, and finished.
    pub next_page: Option<u32>,
    /// Killmails that were marked as hinted: the caller asks for their bodies.
    pub to_fetch: Vec<KillmailId>,
    /// References that this character's list had not shown before.
    pub unseen: usize,
}

impl Store {
    /// Saves a page and takes the next step; none when the lease was lost, and then nothing is written.
    /// `random` is from 0 up to 1.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn save_page(
        &self,
        claim: &mut ListClaim,
        page: ListedPage<'_>,
        random: f64,
    ) -> Result<Option<PageSaved>, StoreError> {
        let doing = "saving a page of references";
        let mut transaction = self.pool.begin().await.map_err(StoreError::during(doing))?;
        // The row is locked first: whoever holds the fence decides alone.
        let renewed = sqlx::query!(
            r#"update character
               set lease_until = now() + make_interval(secs => $3),
                   list_expires_at = greatest(list_expires_at, now() + make_interval(secs => $4))
               where character_id = $1 and fence = $2 and lease_until is not null"#,
            claim.character_id.get(),
            claim.fence,
            lease::seconds(lease::LIST),
            lease::seconds(page.lives_for)
        )
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during(doing))?;
        if renewed.rows_affected() == 0 {
            return Ok(None);
        }
        let (unseen, to_fetch) = remember(&mut transaction, claim.character_id, page.references).await?;
        let seen = PageSeen { page: page.page, references: page.references.len(), unseen, pages: page.pages };
        let next_page = list_walk::next_page(page.mode, seen);

        let mut progress = (claim.pages + 1, claim.references_new);
        progress.1 = progress.1.saturating_add(i32::try_from(unseen).unwrap_or(i32::MAX));
        let first_etag = if page.page == 1 { page.etag.map(str::to_owned) } else { claim.first_etag.clone() };
        match next_page {
            Some(next_page) => {
                sqlx::query!(
                    "update character set resume_page = $2, list_etag = null where character_id = $1",
                    claim.character_id.get(),
                    i32::try_from(next_page).unwrap_or(i32::MAX)
                )
                .execute(&mut *transaction)
                .await
                .map_err(StoreError::during(doing))?;
            }
            None => {
                end_walk(&mut transaction, claim, first_etag.as_deref(), progress, page.lives_for, random).await?;
            }
        }
        transaction.commit().await.map_err(StoreError::during(doing))?;
        (claim.pages, claim.references_new) = progress;
        claim.first_etag = first_etag;
        Ok(Some(PageSaved { next_page, to_fetch, unseen }))
    }
}

/// Saves references; returns how many this character had not shown before, and which bodies are to be asked for.
async fn remember(
    transaction: &mut Transaction<'_, Postgres>,
    character_id: CharacterId,
    references: &[KillmailRef],
) -> Result<(usize, Vec<KillmailId>), StoreError> {
    let doing = "saving references";
    // In one order everywhere: lists of different characters share killmails, and must not wait for each other in a circle.
    let mut sorted: Vec<&KillmailRef> = references.iter().collect();
    sorted.sort_unstable_by_key(|reference| reference.killmail_id);
    sorted.dedup_by_key(|reference| reference.killmail_id);
    let ids: Vec<i64> = sorted.iter().map(|reference| reference.killmail_id.get()).collect();
    let hashes: Vec<String> = sorted.iter().map(|reference| reference.killmail_hash.as_str().to_owned()).collect();
    sqlx::query!(
        r#"insert into killmail_ref (killmail_id, killmail_hash)
           select * from unnest($1::bigint[], $2::text[]) on conflict do nothing"#,
        &ids,
        &hashes
    )
    .execute(&mut **transaction)
    .await
    .map_err(StoreError::during(doing))?;
    // A reference that was given up gets another chance when a list shows it with another hash. A statement of
    // its own: `on conflict do update` would lock every row that is there, and get in the way of who works on it.
    sqlx::query!(
        r#"update killmail_ref r
           set killmail_hash = listed.killmail_hash, state = 'wanted', due_at = now(), attempt = 0, refusals = 0
           from unnest($1::bigint[], $2::text[]) as listed (killmail_id, killmail_hash)
           where r.killmail_id = listed.killmail_id and r.state in ('invalid', 'parked')
             and r.killmail_hash <> listed.killmail_hash"#,
        &ids,
        &hashes
    )
    .execute(&mut **transaction)
    .await
    .map_err(StoreError::during(doing))?;
    let unseen = sqlx::query!(
        r#"insert into character_killmail (character_id, killmail_id)
           select $1, * from unnest($2::bigint[]) on conflict do nothing"#,
        character_id.get(),
        &ids
    )
    .execute(&mut **transaction)
    .await
    .map_err(StoreError::during(doing))?
    .rows_affected();
    let to_fetch = sqlx::query_scalar!(
        r#"with free as (
               select killmail_id from killmail_ref
               where killmail_id = any($1) and state = 'wanted' and due_at <= now()
                 and (hinted_at is null or hinted_at <= now() - make_interval(secs => $2))
                 and (lease_until is null or lease_until <= now())
               order by killmail_id
               for update skip locked)
           update killmail_ref r set hinted_at = now()
           from free where free.killmail_id = r.killmail_id
           returning r.killmail_id"#,
        &ids,
        lease::seconds(lease::HINT_STALE_AFTER)
    )
    .fetch_all(&mut **transaction)
    .await
    .map_err(StoreError::during(doing))?
    .into_iter()
    .map(|id| KillmailId::parse(id).map_err(StoreError::unexpected))
    .collect::<Result<_, _>>()?;
    Ok((usize::try_from(unseen).unwrap_or(usize::MAX), to_fetch))
}
