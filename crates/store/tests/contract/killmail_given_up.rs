//! A killmail that was given up is asked for again when a list shows it with another hash, and begins anew.

use std::time::Duration;

use domain::{Counted, KillmailHash, KillmailRef, Tries, Verdict};

use crate::harness::arrange::{claimant, killmail, listed, references, sorted};
use crate::harness::{Database, contract};

contract![what_was_given_up_stays_so_until_a_list_shows_another_hash, of_two_hashes_on_one_page_each_has_its_turn,];

async fn what_was_given_up_stays_so_until_a_list_shows_another_hash(database: Database) {
    // 10 is invalid and 11 is parked, each after a refusal and an outage.
    database.wanted(&references([10, 11])).await;
    for id in [10, 11] {
        for counted in [Counted::Refusal, Counted::Attempt] {
            let later = Verdict::RetryAfter { delay: Duration::ZERO, reason: "why".to_owned(), counted };
            assert!(database.store.finish_detail(&database.detail(id).await, &later).await.unwrap());
        }
    }
    assert!(database.store.mark_invalid(&database.detail(10).await, "422").await.unwrap());
    let parked = Verdict::Parked { reason: "404".to_owned() };
    assert!(database.store.finish_detail(&database.detail(11).await, &parked).await.unwrap());
    let look = "select killmail_id, state, killmail_hash, attempt, refusals from killmail_ref order by killmail_id";
    let given_up = database.rows(look).await;
    let states = given_up.iter().map(|row| (row["state"].as_str(), row["refusals"].as_i64()));
    assert_eq!(states.collect::<Vec<_>>(), [(Some("invalid"), Some(2)), (Some("parked"), Some(2))]);

    let pilots = database.characters([1, 2]).await;
    let mut claim = database.list(pilots[0]).await;
    let same = references([10, 11]);
    let saved = database.store.save_page(&mut claim, listed(&same, 1, 1), 0.5).await.unwrap().unwrap();
    assert!(saved.to_fetch.is_empty());
    assert_eq!(database.rows(look).await, given_up);
    assert!(database.store.claim_details(&[10, 11].map(killmail), claimant(true)).await.unwrap().is_empty());

    let hash = KillmailHash::parse("ab".repeat(20)).unwrap();
    let other = [10, 11].map(|id| KillmailRef { killmail_id: killmail(id), killmail_hash: hash.clone() });
    let mut claim = database.list(pilots[1]).await;
    let saved = database.store.save_page(&mut claim, listed(&other, 1, 1), 0.5).await.unwrap().unwrap();
    assert_eq!(sorted(saved.to_fetch), [10, 11]);
    for id in [10, 11] {
        let claim = database.detail(id).await;
        assert_eq!((claim.reference.killmail_hash, claim.tries), (hash.clone(), Tries { attempts: 1, refusals: 0 }));
    }
}

async fn of_two_hashes_on_one_page_each_has_its_turn(database: Database) {
    let pilots = database.characters([1, 2]).await;
    let hashes = ["ab", "cd"].map(|hash| KillmailHash::parse(hash.repeat(20)).unwrap());
    let [lesser, greater] =
        hashes.clone().map(|killmail_hash| KillmailRef { killmail_id: killmail(10), killmail_hash });
    let page = [greater, lesser.clone(), lesser];
    for (pilot, hash) in pilots.into_iter().zip(hashes) {
        let mut claim = database.list(pilot).await;
        let saved = database.store.save_page(&mut claim, listed(&page, 1, 1), 0.5).await.unwrap().unwrap();
        assert_eq!((saved.unseen, sorted(saved.to_fetch)), (1, vec![10]));
        let claim = database.detail(10).await;
        assert_eq!(claim.reference.killmail_hash, hash);
        assert!(database.store.mark_invalid(&claim, "422").await.unwrap());
    }
}
