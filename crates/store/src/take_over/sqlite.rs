use std::time::Duration;

use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use crate::list_table::for_both_lists;
use crate::sqlite::{later, now_text};

pub(super) async fn free_lists(connection: &mut SqliteConnection) -> Result<u64> {
    macro_rules! free {
        ($list:literal) => {
            sqlx::query(concat!(
                "update ",
                $list,
                "
                 set hinted_at = null, lease_until = null, fence = fence + (lease_until is not null)
                 where hinted_at is not null or lease_until is not null"
            ))
            .execute(&mut *connection)
            .await?
            .rows_affected()
        };
    }
    Ok(for_both_lists!(free).iter().sum())
}

pub(super) async fn free_killmails(connection: &mut SqliteConnection) -> Result<u64> {
    let freed = sqlx::query(
        "update killmail_ref set hinted_at = null, lease_until = null, fence = fence + (lease_until is not null)
         where state = 'wanted' and (hinted_at is not null or lease_until is not null)",
    );
    Ok(freed.execute(connection).await?.rows_affected())
}

pub(super) async fn free_slots(connection: &mut SqliteConnection) -> Result<u64> {
    let freed = sqlx::query("update sso_slot set lease_until = '' where lease_until <> ''");
    Ok(freed.execute(connection).await?.rows_affected())
}

pub(super) async fn bring_back_lists(connection: &mut SqliteConnection, farthest: Duration) -> Result<u64> {
    macro_rules! bring_back {
        ($list:literal) => {
            sqlx::query(concat!(
                "update ",
                $list,
                "
                 set next_sync_at = iif(next_sync_at > ?1, ?2, next_sync_at),
                     list_expires_at = iif(list_expires_at > ?1, ?2, list_expires_at)
                 where next_sync_at > ?1 or list_expires_at > ?1"
            ))
            .bind(later(farthest))
            .bind(now_text())
            .execute(&mut *connection)
            .await?
            .rows_affected()
        };
    }
    Ok(for_both_lists!(bring_back).iter().sum())
}

pub(super) async fn bring_back_killmails(connection: &mut SqliteConnection, farthest: Duration) -> Result<u64> {
    let brought_back = sqlx::query("update killmail_ref set due_at = ?2 where state = 'wanted' and due_at > ?1")
        .bind(later(farthest))
        .bind(now_text());
    Ok(brought_back.execute(connection).await?.rows_affected())
}

/// The lease of a token call stays what it is, the mark of a lost answer.
pub(super) async fn bring_back_streams(connection: &mut SqliteConnection, farthest: Duration) -> Result<u64> {
    let brought_back = sqlx::query(
        "update token_stream
         set next_probe_at = iif(next_probe_at > ?1, ?2, next_probe_at),
             lease_until = iif(lease_until > ?1, ?2, lease_until)
         where next_probe_at > ?1 or lease_until > ?1",
    )
    .bind(later(farthest))
    .bind(now_text());
    Ok(brought_back.execute(connection).await?.rows_affected())
}

pub(super) async fn end_pauses(connection: &mut SqliteConnection, farthest: Duration) -> Result<u64> {
    let ended = sqlx::query("delete from fleet_pause where until > ?1").bind(later(farthest));
    Ok(ended.execute(connection).await?.rows_affected())
}
