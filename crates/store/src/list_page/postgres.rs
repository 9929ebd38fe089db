use std::time::Duration;

use domain::ListOwner;
use sqlx::{PgConnection, Result};

use super::References;
use crate::lease;
use crate::list_job::ListClaim;
use crate::list_table::for_list;

pub(super) async fn renew(connection: &mut PgConnection, claim: &ListClaim, lives_for: Duration) -> Result<bool> {
    macro_rules! renew {
        ($list:literal) => {
            sqlx::query!(
                "update "
                    + $list
                    + "
                 set lease_until = now() + make_interval(secs => $3),
                     list_expires_at = greatest(list_expires_at, now() + make_interval(secs => $4))
                 where "
                    + $list
                    + "_id = $1 and fence = $2 and lease_until is not null",
                claim.owner.id(),
                claim.fence,
                lease::seconds(lease::LIST),
                lease::seconds(lives_for)
            )
            .execute(connection)
            .await
        };
    }
    Ok(for_list!(claim.owner, renew)?.rows_affected() == 1)
}

pub(super) async fn go_on_at(connection: &mut PgConnection, owner: ListOwner, next_page: i32) -> Result<()> {
    macro_rules! go_on {
        ($list:literal) => {
            sqlx::query!(
                "update " + $list + " set resume_page = $2, list_etag = null where " + $list + "_id = $1",
                owner.id(),
                next_page
            )
            .execute(connection)
            .await
        };
    }
    for_list!(owner, go_on).map(|_| ())
}

pub(super) async fn add_references(connection: &mut PgConnection, (ids, hashes): &References) -> Result<()> {
    sqlx::query!(
        r#"insert into killmail_ref (killmail_id, killmail_hash)
           select * from unnest($1::bigint[], $2::text[]) on conflict do nothing"#,
        ids,
        hashes
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn revive_references(connection: &mut PgConnection, (ids, hashes): &References) -> Result<()> {
    sqlx::query!(
        r#"with given_up as (
               select r.killmail_id, listed.killmail_hash
               from unnest($1::bigint[], $2::text[]) as listed (killmail_id, killmail_hash)
               join killmail_ref r using (killmail_id)
               where r.state in ('invalid', 'parked') and r.killmail_hash <> listed.killmail_hash
               order by r.killmail_id
               for update of r)
           update killmail_ref r
           set killmail_hash = given_up.killmail_hash, state = 'wanted', due_at = now(), attempt = 0, refusals = 0
           from given_up where given_up.killmail_id = r.killmail_id"#,
        ids,
        hashes
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// How many of them were not on it.
pub(super) async fn add_to_list(connection: &mut PgConnection, owner: ListOwner, ids: &[i64]) -> Result<u64> {
    macro_rules! add {
        ($list:literal) => {
            sqlx::query!(
                "insert into "
                    + $list
                    + "_killmail ("
                    + $list
                    + "_id, killmail_id)
                 select $1, * from unnest($2::bigint[]) on conflict do nothing",
                owner.id(),
                ids
            )
            .execute(connection)
            .await
        };
    }
    Ok(for_list!(owner, add)?.rows_affected())
}

pub(super) async fn hint_free(connection: &mut PgConnection, ids: &[i64]) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
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
        ids,
        lease::seconds(lease::HINT_STALE_AFTER)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn etag(connection: &mut PgConnection, owner: ListOwner, page: i32) -> Result<Option<String>> {
    macro_rules! etag {
        ($list:literal) => {
            sqlx::query_scalar!(
                "select etag from " + $list + "_list_page where " + $list + "_id = $1 and page = $2",
                owner.id(),
                page
            )
            .fetch_optional(connection)
            .await
        };
    }
    for_list!(owner, etag)
}

pub(super) async fn set_etag(connection: &mut PgConnection, owner: ListOwner, page: i32, etag: &str) -> Result<()> {
    macro_rules! set {
        ($list:literal) => {
            sqlx::query!(
                "insert into "
                    + $list
                    + "_list_page as known ("
                    + $list
                    + "_id, page, etag) values ($1, $2, $3)
                 on conflict ("
                    + $list
                    + "_id, page) do update set etag = excluded.etag where known.etag <> $3",
                owner.id(),
                page,
                etag
            )
            .execute(connection)
            .await
        };
    }
    for_list!(owner, set).map(|_| ())
}

pub(super) async fn forget_etag(connection: &mut PgConnection, owner: ListOwner, page: i32) -> Result<()> {
    macro_rules! forget {
        ($list:literal) => {
            sqlx::query!(
                "delete from " + $list + "_list_page where " + $list + "_id = $1 and page = $2",
                owner.id(),
                page
            )
            .execute(connection)
            .await
        };
    }
    for_list!(owner, forget).map(|_| ())
}
