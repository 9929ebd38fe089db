use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

pub(super) async fn free_characters(connection: &mut SqliteConnection) -> Result<u64> {
    let freed = sqlx::query(
        "update character set hinted_at = null, lease_until = null, fence = fence + (lease_until is not null)
         where hinted_at is not null or lease_until is not null",
    );
    Ok(freed.execute(connection).await?.rows_affected())
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
