use std::time::Duration;

use domain::CharacterId;
use sqlx::{PgConnection, Result};

use super::References;
use crate::lease;
use crate::list_job::ListClaim;

pub(super) async fn renew(connection: &mut PgConnection, claim: &ListClaim, lives_for: Duration) -> Result<bool> {
    let renewed = sqlx::query!(
        r#"update character
           set lease_until = now() + make_interval(secs => $3),
               list_expires_at = greatest(list_expires_at, now() + make_interval(secs => $4))
           where character_id = $1 and fence = $2 and lease_until is not null"#,
        claim.character_id.get(),
        claim.fence,
        lease::seconds(lease::LIST),
        lease::seconds(lives_for)
    );
    Ok(renewed.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn go_on_at(connection: &mut PgConnection, character_id: CharacterId, next_page: i32) -> Result<()> {
    sqlx::query!(
        "update character set resume_page = $2, list_etag = null where character_id = $1",
        character_id.get(),
        next_page
    )
    .execute(connection)
    .await
    .map(|_| ())
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
pub(super) async fn add_to_list(connection: &mut PgConnection, character_id: CharacterId, ids: &[i64]) -> Result<u64> {
    let added = sqlx::query!(
        r#"insert into character_killmail (character_id, killmail_id)
           select $1, * from unnest($2::bigint[]) on conflict do nothing"#,
        character_id.get(),
        ids
    );
    Ok(added.execute(connection).await?.rows_affected())
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
