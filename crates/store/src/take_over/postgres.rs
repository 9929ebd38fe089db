use sqlx::{PgConnection, Result};

pub(super) async fn free_characters(connection: &mut PgConnection) -> Result<u64> {
    let freed = sqlx::query!(
        r#"update character
           set hinted_at = null, lease_until = null, fence = fence + case when lease_until is null then 0 else 1 end
           where hinted_at is not null or lease_until is not null"#
    );
    Ok(freed.execute(connection).await?.rows_affected())
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
