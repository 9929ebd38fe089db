//! Who may fetch a killmail: only what is wanted, and one worker at a time.

use domain::{Counted, KillmailId, Verdict};

use crate::harness::arrange::{claimant, killmail, new_killmail, reference, references, small_body, sorted};
use crate::harness::{Database, at_once, contract};

contract![
    table_of_what_can_be_claimed,
    twenty_claims_at_once_hand_out_each_killmail_once,
    of_two_claims_the_later_one_stores,
    a_lost_lease_leaves_no_verdict,
];

/// What a row is like, and whether it can be claimed: plainly, and by one who takes over.
const CASES: [(&str, [bool; 2]); 9] = [
    ("hinted_at = now()", [true; 2]),
    ("hinted_at = null", [true; 2]),
    ("hinted_at = null, due_at = now() + interval '1 minute'", [false; 2]),
    ("hinted_at = now(), due_at = now() + interval '1 minute'", [true; 2]),
    (
        "lease_until = now() + interval '1 minute', lease_job_id = '00000000-0000-0000-0000-000000000001'::uuid",
        [false, true],
    ),
    ("lease_until = now() - interval '1 second'", [true; 2]),
    ("state = 'stored'", [false; 2]),
    ("state = 'invalid'", [false; 2]),
    ("state = 'parked'", [false; 2]),
];

async fn table_of_what_can_be_claimed(database: Database) {
    let ids = 1..=9;
    database.wanted(&references(ids.clone())).await;
    let asked: Vec<KillmailId> = ids.clone().chain([77]).map(killmail).collect();
    for (index, take_over) in [false, true].into_iter().enumerate() {
        for (id, (columns, _)) in ids.clone().zip(CASES) {
            let fresh = "state = 'wanted', hinted_at = now(), lease_until = null, due_at = first_seen_at";
            database.run(format!("update killmail_ref set {fresh} where killmail_id = {id}")).await;
            database.run(format!("update killmail_ref set {columns} where killmail_id = {id}")).await;
        }
        let expected: Vec<i64> =
            ids.clone().zip(CASES).filter(|(_, (_, free))| free[index]).map(|(id, _)| id).collect();
        let claims = database.store.claim_details(&asked, claimant(take_over)).await.unwrap();
        assert_eq!(sorted(claims.iter().map(|claim| claim.reference.killmail_id)), expected, "{take_over}");
        for claim in claims {
            assert_eq!(claim.reference, reference(claim.reference.killmail_id.get()));
        }
    }
}

async fn twenty_claims_at_once_hand_out_each_killmail_once(database: Database) {
    database.wanted(&references(1..=50)).await;
    let orders = (0..20).map(|number| {
        let mut ids: Vec<KillmailId> = (1..=50).map(killmail).collect();
        ids.rotate_left(number * 2);
        ids
    });
    let claims = at_once(&database, orders, |database, ids| async move {
        database.store.claim_details(&ids, claimant(false)).await.unwrap()
    })
    .await;
    let ids = claims.iter().flatten().map(|claim| claim.reference.killmail_id);
    assert_eq!(sorted(ids), (1..=50).collect::<Vec<_>>());
    let lease = "select min(extract(epoch from lease_until - now())) from killmail_ref";
    assert!((280.0..=300.0).contains(&database.number(lease).await));
}

async fn of_two_claims_the_later_one_stores(database: Database) {
    database.wanted(&references([1])).await;
    let first = database.detail(1).await;
    let second = database.store.claim_details(&[killmail(1)], claimant(true)).await.unwrap().remove(0);
    assert_eq!((first.tries.attempts, second.tries.attempts), (1, 2));
    let body = small_body(1);
    let before = database.contents().await;
    assert!(!database.store.store_body(&first, new_killmail(&body)).await.unwrap());
    assert_eq!(database.contents().await, before, "nothing at all is written under a lost lease");
    assert!(database.store.store_body(&second, new_killmail(&body)).await.unwrap());
    let after = database.contents().await;
    for claim in [&first, &second] {
        assert!(!database.store.store_body(claim, new_killmail(&body)).await.unwrap());
        assert!(!database.store.mark_invalid(claim, "422").await.unwrap());
        assert!(!database.store.finish_detail(claim, &Verdict::Parked { reason: String::new() }).await.unwrap());
        assert!(database.store.hand_over_details(std::slice::from_ref(claim)).await.unwrap().is_empty());
    }
    assert_eq!(database.contents().await, after, "what is stored stays as it is");
}

async fn a_lost_lease_leaves_no_verdict(database: Database) {
    database.wanted(&references([1])).await;
    let lost = database.detail(1).await;
    let held = database.store.claim_details(&[killmail(1)], claimant(true)).await.unwrap().remove(0);
    let before = database.contents().await;
    let delay = std::time::Duration::from_secs(60);
    let later = Verdict::RetryAfter { delay, reason: "503".to_owned(), counted: Counted::Attempt };
    for verdict in [later, Verdict::Parked { reason: "why".to_owned() }, Verdict::Done] {
        assert!(!database.store.finish_detail(&lost, &verdict).await.unwrap());
    }
    assert!(!database.store.mark_invalid(&lost, "422").await.unwrap());
    assert!(database.store.hand_over_details(&[lost]).await.unwrap().is_empty());
    assert_eq!(database.contents().await, before);
    assert!(database.store.mark_invalid(&held, "422").await.unwrap());
}
