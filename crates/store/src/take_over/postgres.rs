use std::time::Duration;

use sqlx::{PgConnection, Result};

use crate::lease::seconds;
use crate::list_table::for_both_lists;

pub(super) async fn free_lists(connection: &mut PgConnection) -> Result<u64> {
    macro_rules! free {
        ($list:literal) => {
            sqlx::query!(
                "update " + $list + "
                 set hinted_at = null, lease_until = null, fence = fence + case when lease_until is null then 0 else 1 end
                 where hinted_at is not null or lease_until is not null"
            )
            .execute(&mut *connection)
            .await?
            .rows_affected()
        };
    }
    Ok(for_both_lists!(free).iter().sum())
}

pub(super) async fn free_killmails(connection: &mut PgConnection) -> Result<u64> {
    let freed = sqlx::query!(
        r#"update killmail_ref
           set hinted_at = null, lease_until = null, fence = fence + case when lease_until is null then 0 else 1 end
           where state = 'wanted' and (hinted_at is not null or lease_until is not null)"#
    );
    Ok(freed.execute(connection).await?.rows_affected())
}

pub(super) async fn free_slots(connection: &mut PgConnection) -> Result<u64> {
    let freed = sqlx::query!("update sso_slot set lease_until = '-infinity' where lease_until > now()");
    Ok(freed.execute(connection).await?.rows_affected())
}

pub(super) async fn bring_back_lists(connection: &mut PgConnection, farthest: Duration) -> Result<u64> {
    macro_rules! bring_back {
        ($list:literal) => {
            sqlx::query!(
                "update "
                    + $list
                    + "
                 set next_sync_at = case when next_sync_at > now() + make_interval(secs => $1) then now()
                                         else next_sync_at end,
                     list_expires_at = case when list_expires_at > now() + make_interval(secs => $1) then now()
                                            else list_expires_at end
                 where next_sync_at > now() + make_interval(secs => $1)
                    or list_expires_at > now() + make_interval(secs => $1)",
                seconds(farthest)
            )
            .execute(&mut *connection)
            .await?
            .rows_affected()
        };
    }
    Ok(for_both_lists!(bring_back).iter().sum())
}

pub(super) async fn bring_back_killmails(connection: &mut PgConnection, farthest: Duration) -> Result<u64> {
    let brought_back = sqlx::query!(
        "update killmail_ref set due_at = now() where state = 'wanted' and due_at > now() + make_interval(secs => $1)",
        seconds(farthest)
    );
    Ok(brought_back.execute(connection).await?.rows_affected())
}

/// The lease of a token call stays what it is, the mark of a lost answer.
pub(super) async fn bring_back_streams(connection: &mut PgConnection, farthest: Duration) -> Result<u64> {
    let brought_back = sqlx::query!(
        r#"update token_stream
           set next_probe_at = case when next_probe_at > now() + make_interval(secs => $1) then now()
                                    else next_probe_at end,
               lease_until = case when lease_until > now() + make_interval(secs => $1) then now() else lease_until end
           where next_probe_at > now() + make_interval(secs => $1)
              or lease_until > now() + make_interval(secs => $1)"#,
        seconds(farthest)
    );
    Ok(brought_back.execute(connection).await?.rows_affected())
}

pub(super) async fn end_pauses(connection: &mut PgConnection, farthest: Duration) -> Result<u64> {
    let ended =
        sqlx::query!("delete from fleet_pause where until > now() + make_interval(secs => $1)", seconds(farthest));
    Ok(ended.execute(connection).await?.rows_affected())
}
