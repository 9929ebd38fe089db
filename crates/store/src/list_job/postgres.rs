use std::time::Duration;

use domain::{ListOwner, Verdict};
use sqlx::{PgConnection, Result};

use super::{Claimed, End, ListClaim};
use crate::lease::{self, Claimant};
use crate::list_table::for_list;

pub(super) async fn claim(
    connection: &mut PgConnection,
    owner: ListOwner,
    claimant: Claimant,
) -> Result<Option<Claimed>> {
    macro_rules! claim {
        ($list:literal) => {
            sqlx::query_as!(
                Claimed,
                "update " + $list + r#"
                 set lease_until = now() + make_interval(secs => $4), lease_job_id = $2, fence = fence + 1,
                     attempt = attempt + 1
                 where "# + $list + r#"_id = $1
                   and (lease_until is null or lease_until <= now() or ($3 and lease_job_id = $2))
                   and (hinted_at is not null or next_sync_at <= now())
                   and (list_expires_at is null or list_expires_at <= now() or resume_page > 1)
                 returning attempt, resume_page, missing_pages,
                           full_walk_at is null or full_walk_at <= now() as "is_full_walk_due!", list_etag, fence,
                           now() as "now!""#,
                owner.id(),
                claimant.job_id,
                claimant.take_over,
                lease::seconds(lease::LIST)
            )
            .fetch_optional(connection)
            .await
        };
    }
    for_list!(owner, claim)
}

pub(super) async fn lengthen_expiry(
    connection: &mut PgConnection,
    claim: &ListClaim,
    lives_for: Duration,
) -> Result<bool> {
    macro_rules! lengthen {
        ($list:literal) => {
            sqlx::query!(
                "update "
                    + $list
                    + "
                 set list_expires_at = greatest(list_expires_at, now() + make_interval(secs => $3))
                 where "
                    + $list
                    + "_id = $1 and fence = $2 and lease_until is not null",
                claim.owner.id(),
                claim.fence,
                lease::seconds(lives_for)
            )
            .execute(connection)
            .await
        };
    }
    Ok(for_list!(claim.owner, lengthen)?.rows_affected() == 1)
}

pub(super) async fn end(
    connection: &mut PgConnection,
    claim: &ListClaim,
    verdict: &Verdict,
    end: &End,
) -> Result<bool> {
    macro_rules! end {
        ($list:literal) => {
            sqlx::query!(
                "update "
                    + $list
                    + "
                 set lease_until = null, hinted_at = null, next_sync_at = now() + make_interval(secs => $3),
                     attempt = attempt - case when $4 then 0 else 1 end,
                     resume_page = case when $7 and resume_page > 1 then 1 else coalesce($8, resume_page) end,
                     missing_pages = missing_pages + case when $8::integer is null then 0 else 1 end,
                     last_verdict = $5, last_reason = $6, last_verdict_at = now()
                 where "
                    + $list
                    + "_id = $1 and fence = $2 and lease_until is not null",
                claim.owner.id(),
                claim.fence,
                lease::seconds(end.delay),
                end.is_attempt_kept,
                verdict.name(),
                verdict.reason(),
                end.starts_over,
                end.page_before_missing
            )
            .execute(connection)
            .await
        };
    }
    Ok(for_list!(claim.owner, end)?.rows_affected() == 1)
}

pub(super) async fn record_run(
    connection: &mut PgConnection,
    claim: &ListClaim,
    verdict: &Verdict,
    (pages, references_new): (i32, i32),
) -> Result<()> {
    macro_rules! record {
        ($list:literal) => {
            sqlx::query!(
                "insert into sync_run ("
                    + $list
                    + "_id, started_at, verdict, reason, pages, references_new)
                 values ($1, $2, $3, $4, $5, $6)",
                claim.owner.id(),
                claim.started_at,
                verdict.name(),
                verdict.reason(),
                pages,
                references_new
            )
            .execute(connection)
            .await
        };
    }
    for_list!(claim.owner, record).map(|_| ())
}

pub(super) async fn hand_over(connection: &mut PgConnection, claim: &ListClaim) -> Result<bool> {
    macro_rules! hand_over {
        ($list:literal) => {
            sqlx::query!(
                "update "
                    + $list
                    + " set lease_until = null, hinted_at = now(), attempt = attempt - 1
                 where "
                    + $list
                    + "_id = $1 and fence = $2 and lease_until is not null",
                claim.owner.id(),
                claim.fence
            )
            .execute(connection)
            .await
        };
    }
    Ok(for_list!(claim.owner, hand_over)?.rows_affected() == 1)
}

pub(super) async fn age_of_newest_seconds(connection: &mut PgConnection, owner: ListOwner) -> Result<Option<f64>> {
    macro_rules! age {
        ($list:literal) => {
            sqlx::query_scalar!(
                r#"select extract(epoch from now() - k.killmail_time)::double precision as "age!"
                   from "#
                    + $list
                    + "_killmail l join killmail k using (killmail_id)
                   where l."
                    + $list
                    + "_id = $1 order by l.killmail_id desc limit 1",
                owner.id()
            )
            .fetch_optional(connection)
            .await
        };
    }
    for_list!(owner, age)
}

pub(super) async fn end_walk(
    connection: &mut PgConnection,
    claim: &ListClaim,
    etag: Option<&str>,
    interval: Duration,
) -> Result<bool> {
    macro_rules! end {
        ($list:literal) => {
            sqlx::query!(
                "update " + $list + "
                 set resume_page = null, missing_pages = 0, list_etag = $3, lease_until = null, hinted_at = null,
                     attempt = 0, next_sync_at = now() + make_interval(secs => $4), last_synced_at = now(),
                     last_verdict = 'done', last_reason = null, last_verdict_at = now()
                 where " + $list + "_id = $1 and fence = $2 and lease_until is not null",
                claim.owner.id(),
                claim.fence,
                etag,
                lease::seconds(interval)
            )
            .execute(connection)
            .await
        };
    }
    Ok(for_list!(claim.owner, end)?.rows_affected() == 1)
}

pub(super) async fn set_full_walk_in(connection: &mut PgConnection, owner: ListOwner, span: Duration) -> Result<()> {
    macro_rules! set {
        ($list:literal) => {
            sqlx::query!(
                "update "
                    + $list
                    + " set full_walk_at = now() + make_interval(secs => $2)
                 where "
                    + $list
                    + "_id = $1",
                owner.id(),
                lease::seconds(span)
            )
            .execute(connection)
            .await
        };
    }
    for_list!(owner, set).map(|_| ())
}
