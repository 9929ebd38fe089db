//! What the fleet mends only after minutes: the minutes pass in the rows, as if the suite had waited.

use crate::harness::Fleet;

/// Hints are not believed any more, leases run out and what was put off is due. Hints of the last four seconds are left
/// alone, and leases of the last fifteen: somebody may be at it. Expiries of ESI and of tokens, pauses and budgets stay as
/// they are.
pub(crate) async fn pass(fleet: &Fleet<'_>) {
    fleet
        .database
        .execute(
            "update character set hinted_at = hinted_at - interval '6 minutes'
             where hinted_at < now() - interval '4 seconds';
             update killmail_ref set hinted_at = hinted_at - interval '6 minutes'
             where hinted_at < now() - interval '4 seconds';
             update character set lease_until = now() where lease_until < now() + interval '285 seconds';
             update killmail_ref set lease_until = now() where lease_until < now() + interval '285 seconds';
             update token_stream set lease_until = now()
             where lease_until > now() and lease_until < now() + interval '45 seconds';
             update sso_slot set lease_until = now()
             where lease_until > now() and lease_until < now() + interval '45 seconds'",
        )
        .await;
    fleet.make_due().await;
}
