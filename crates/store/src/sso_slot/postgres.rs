use sqlx::{PgConnection, Result};

use super::SsoSlot;
use crate::lease;

pub(super) async fn take(connection: &mut PgConnection, slots: i32) -> Result<Option<SsoSlot>> {
    sqlx::query_as!(
        SsoSlot,
        r#"update sso_slot set lease_until = now() + make_interval(secs => $2)
           where slot = (select slot from sso_slot where slot <= $1 and lease_until <= now()
                         order by slot limit 1 for update skip locked)
           returning slot as number, lease_until"#,
        slots,
        lease::seconds(lease::REFRESH)
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn release(connection: &mut PgConnection, slot: &SsoSlot) -> Result<()> {
    sqlx::query!(
        "update sso_slot set lease_until = '-infinity' where slot = $1 and lease_until = $2",
        slot.number,
        slot.lease_until
    )
    .execute(connection)
    .await
    .map(|_| ())
}
