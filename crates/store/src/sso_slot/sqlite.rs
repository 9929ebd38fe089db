use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::SsoSlot;
use crate::lease;
use crate::sqlite::{later, now_text, text};

pub(super) async fn take(connection: &mut SqliteConnection, slots: i32) -> Result<Option<SsoSlot>> {
    sqlx::query_as(
        "update sso_slot set lease_until = ?2
         where slot = (select slot from sso_slot where slot <= ?1 and lease_until <= ?3 order by slot limit 1)
         returning slot as number, lease_until",
    )
    .bind(slots)
    .bind(later(lease::REFRESH))
    .bind(now_text())
    .fetch_optional(connection)
    .await
}

pub(super) async fn release(connection: &mut SqliteConnection, slot: &SsoSlot) -> Result<()> {
    sqlx::query("update sso_slot set lease_until = '' where slot = ?1 and lease_until = ?2")
        .bind(slot.number)
        .bind(text(slot.lease_until))
        .execute(connection)
        .await
        .map(|_| ())
}
