use domain::gate::Gate;
use sqlx::{PgConnection, Result};

use super::Row;
use crate::list_table::for_both_lists;

pub(super) async fn row(connection: &mut PgConnection) -> Result<Row> {
    sqlx::query_as!(
        Row,
        r#"select closed_at, is_certain, probe_at, good_until, downtime_ends_at, clock_timestamp() as "now!"
           from esi_gate"#
    )
    .fetch_one(connection)
    .await
}

/// By the clock, not by the time of a transaction that has waited for the lock.
pub(super) async fn lock(connection: &mut PgConnection) -> Result<Row> {
    sqlx::query_as!(
        Row,
        r#"select closed_at, is_certain, probe_at, good_until, downtime_ends_at, clock_timestamp() as "now!"
           from esi_gate for update"#
    )
    .fetch_one(connection)
    .await
}

pub(super) async fn write(connection: &mut PgConnection, gate: &Gate) -> Result<()> {
    sqlx::query!(
        r#"update esi_gate set closed_at = $1, is_certain = $2, probe_at = $3, good_until = $4,
                               downtime_ends_at = $5"#,
        gate.closed_at,
        gate.is_certain,
        gate.probe_at,
        gate.good_until,
        gate.downtime_ends_at
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn end_pause(connection: &mut PgConnection, scope: &str) -> Result<()> {
    sqlx::query!("delete from fleet_pause where scope = $1", scope).execute(connection).await.map(|_| ())
}

pub(super) async fn begin_buckets_anew(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("update esi_bucket set free_at = greatest(free_at, clock_timestamp())")
        .execute(connection)
        .await
        .map(|_| ())
}

/// Those that somebody else has locked are just being worked on.
pub(super) async fn spread_due_lists(connection: &mut PgConnection, apart: f64, within: f64) -> Result<()> {
    macro_rules! spread {
        ($list:literal) => {
            sqlx::query!(
                "with due as (select "
                    + $list
                    + "_id as id, next_sync_at from "
                    + $list
                    + "
                              where next_sync_at <= now() and (lease_until is null or lease_until <= now())
                              for update skip locked),
                      placed as (select id,
                                        (row_number() over (order by next_sync_at, id) - 1)::float8
                                        * least($1::float8, $2::float8 / count(*) over ()) as seconds
                                 from due)
                 update "
                    + $list
                    + " set next_sync_at = now() + make_interval(secs => placed.seconds)
                 from placed where placed.id = "
                    + $list
                    + "_id",
                apart,
                within
            )
            .execute(&mut *connection)
            .await?
            .rows_affected()
        };
    }
    for_both_lists!(spread);
    Ok(())
}
