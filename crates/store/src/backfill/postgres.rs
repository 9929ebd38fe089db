use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Result};

use super::{ArchivedKillmail, References};
pub(super) use crate::detail_job::postgres::add_participants;

/// Those without a body, or with a reference that somebody may still act on.
pub(super) async fn unsettled(connection: &mut PgConnection, ids: &[i64]) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"select a.killmail_id as "killmail_id!"
           from unnest($1::bigint[]) as a (killmail_id)
           where not exists (select from killmail k where k.killmail_id = a.killmail_id)
              or not exists (select from killmail_ref r where r.killmail_id = a.killmail_id and r.state = 'stored')
           order by 1"#,
        ids
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn add_references(connection: &mut PgConnection, (ids, hashes): &References) -> Result<()> {
    sqlx::query!(
        r#"insert into killmail_ref (killmail_id, killmail_hash, state)
           select killmail_id, killmail_hash, 'stored'
           from unnest($1::bigint[], $2::text[]) as a (killmail_id, killmail_hash)
           order by killmail_id
           on conflict do nothing"#,
        ids,
        hashes
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// A reference that was given up gets its body whatever its hash was: that hash has led to none.
pub(super) async fn settle_references(connection: &mut PgConnection, (ids, hashes): &References) -> Result<()> {
    sqlx::query!(
        r#"with archived as (
               select r.killmail_id, a.killmail_hash
               from unnest($1::bigint[], $2::text[]) as a (killmail_id, killmail_hash)
               join killmail_ref r using (killmail_id)
               where r.state in ('invalid', 'parked') or r.state = 'wanted' and r.killmail_hash = a.killmail_hash
               order by r.killmail_id
               for update of r)
           update killmail_ref r
           set state = 'stored', killmail_hash = archived.killmail_hash, hinted_at = null, lease_until = null,
               attempt = 0, refusals = 0, last_reason = null
           from archived where archived.killmail_id = r.killmail_id"#,
        ids,
        hashes
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Gives those that were added.
pub(super) async fn add_killmails(
    connection: &mut PgConnection,
    killmails: &[&ArchivedKillmail<'_>],
) -> Result<Vec<i64>> {
    let ids: Vec<i64> = killmails.iter().map(|archived| archived.reference.killmail_id.get()).collect();
    let hashes: Vec<&str> = killmails.iter().map(|archived| archived.reference.killmail_hash.as_str()).collect();
    let times: Vec<DateTime<Utc>> = killmails.iter().map(|archived| archived.killmail.killmail_time).collect();
    let solar_systems: Vec<i64> = killmails.iter().map(|archived| archived.killmail.solar_system_id).collect();
    let bodies: Vec<&str> = killmails.iter().map(|archived| archived.killmail.json).collect();
    sqlx::query_scalar!(
        r#"insert into killmail (killmail_id, killmail_hash, killmail_time, solar_system_id, body)
           select a.killmail_id, a.killmail_hash, a.killmail_time, a.solar_system_id, a.body::jsonb
           from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::text[])
                as a (killmail_id, killmail_hash, killmail_time, solar_system_id, body)
           join killmail_ref r using (killmail_id, killmail_hash)
           where r.state = 'stored'
           order by killmail_id
           on conflict do nothing
           returning killmail_id"#,
        &ids,
        &hashes as _,
        &times,
        &solar_systems,
        &bodies as _
    )
    .fetch_all(connection)
    .await
}

/// With the hashes of their references.
pub(super) async fn not_stored(connection: &mut PgConnection, ids: &[i64]) -> Result<Vec<(i64, String)>> {
    let rows = sqlx::query!(
        r#"select killmail_id, killmail_hash from killmail_ref r
           where killmail_id = any($1) and not exists (select from killmail k where k.killmail_id = r.killmail_id)
           order by killmail_id"#,
        ids
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (row.killmail_id, row.killmail_hash)).collect())
}
