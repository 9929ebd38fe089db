use domain::gate::Gate;
use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::Row;
use crate::list_table::for_both_lists;
use crate::sqlite::{now_text, text};

pub(super) async fn row(connection: &mut SqliteConnection) -> Result<Row> {
    sqlx::query_as("select closed_at, is_certain, probe_at, good_until, downtime_ends_at, ?1 as now from esi_gate")
        .bind(now_text())
        .fetch_one(connection)
        .await
}

/// A transaction that writes is the only one in any case.
pub(super) async fn lock(connection: &mut SqliteConnection) -> Result<Row> {
    row(connection).await
}

pub(super) async fn write(connection: &mut SqliteConnection, gate: &Gate) -> Result<()> {
    sqlx::query(
        "update esi_gate set closed_at = ?1, is_certain = ?2, probe_at = ?3, good_until = ?4, downtime_ends_at = ?5",
    )
    .bind(gate.closed_at.map(text))
    .bind(gate.is_certain)
    .bind(gate.probe_at.map(text))
    .bind(gate.good_until.map(text))
    .bind(gate.downtime_ends_at.map(text))
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn end_pause(connection: &mut SqliteConnection, scope: &str) -> Result<()> {
    sqlx::query("delete from fleet_pause where scope = ?1").bind(scope).execute(connection).await.map(|_| ())
}

pub(super) async fn begin_buckets_anew(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query("update esi_bucket set free_at = max(free_at, ?1)")
        .bind(now_text())
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn spread_due_lists(connection: &mut SqliteConnection, apart: f64, within: f64) -> Result<()> {
    macro_rules! spread {
        ($list:literal) => {
            sqlx::query(concat!(
                "with placed as (select ", $list, "_id as id,
                                        (row_number() over (order by next_sync_at, ", $list, "_id) - 1)
                                        * min(?2, ?3 / count(*) over ()) as seconds
                                 from ", $list, "
                                 where next_sync_at <= ?1 and (lease_until is null or lease_until <= ?1))
                 update ", $list, "
                 set next_sync_at = strftime('%Y-%m-%dT%H:%M:%f000Z', ?1, format('+%.3f seconds', placed.seconds))
                 from placed where placed.id = ", $list, "_id"
            ))
            .bind(now_text())
            .bind(apart)
            .bind(within)
            .execute(&mut *connection)
            .await?
            .rows_affected()
        };
    }
    for_both_lists!(spread);
    Ok(())
}
