//! Killmails of an archive: stored as if ESI had sent them, and nobody asks ESI for them any more.

use std::cmp::Reverse;
use std::time::Duration;

use domain::{KillmailId, KillmailRef, Verdict};
use serde_json::json;
use store::backfill::{ArchivedKillmail, Backfilled};
use store::detail_job::{DetailClaim, NewKillmail};

use crate::harness::arrange::{claimant, killmail, new_killmail, reference, references, small_body};
use crate::harness::real_killmails::{self, RealKillmail};
use crate::harness::{Database, at_once, contract};

contract![
    // jsonb has no place for the character U+0000; the file holds the text as it is.
    postgres:
    one_that_the_server_does_not_take_is_left_out_alone,
    // A file has one writer.
    who_lets_go_of_killmails_and_who_takes_them_never_wait_in_a_circle,
];
contract![
    what_an_archive_brings_is_what_esi_would_have_sent,
    table_of_what_becomes_of_a_reference,
    who_fetches_one_meanwhile_has_lost_it,
    of_many_some_cannot_be_stored,
    the_same_archives_at_once_are_stored_once,
];

/// Bodies as the archive holds them, each under the hash of its reference.
async fn backfill(database: &Database, killmails: &[(KillmailRef, String)]) -> Backfilled {
    let archived: Vec<_> = killmails
        .iter()
        .map(|(reference, text)| ArchivedKillmail { reference, killmail: new_killmail(text) })
        .collect();
    database.store.backfill(&archived).await.unwrap()
}

fn small(ids: impl IntoIterator<Item = i64>) -> Vec<(KillmailRef, String)> {
    ids.into_iter().map(|id| (reference(id), small_body(id))).collect()
}

fn counts(backfilled: &Backfilled) -> (u64, u64, usize) {
    (backfilled.stored, backfilled.already_stored, backfilled.refused.len())
}

const EVERYTHING: [&str; 3] = [
    "select killmail_id, killmail_hash, killmail_time, solar_system_id, body::text as body from killmail order by 1",
    "select * from killmail_participant order by killmail_id, participant_index",
    "select killmail_id, killmail_hash, state, hinted_at, lease_until, attempt, refusals, last_reason
     from killmail_ref order by 1",
];

async fn what_an_archive_brings_is_what_esi_would_have_sent(database: Database) {
    let killmails = real_killmails::all();
    let references: Vec<KillmailRef> = killmails.iter().map(RealKillmail::reference).collect();
    let bodies: Vec<_> = killmails.iter().map(RealKillmail::json).collect();
    let archived: Vec<_> = references
        .iter()
        .zip(killmails.iter().zip(&bodies))
        .map(|(reference, (killmail, body))| {
            let killmail_time = body["killmail_time"].as_str().unwrap().parse().unwrap();
            let solar_system_id = body["solar_system_id"].as_i64().unwrap();
            let killmail = NewKillmail { killmail_time, solar_system_id, json: killmail.text() };
            ArchivedKillmail { reference, killmail }
        })
        .collect();
    let (first, rest) = archived.split_at(3);
    assert_eq!(counts(&database.store.backfill(first).await.unwrap()), (3, 0, 0));
    let all: Vec<_> = [rest, first].into_iter().flatten().collect();
    let again = database.store.backfill(&archived).await.unwrap();
    assert_eq!((counts(&again), all.len()), ((23, 3, 0), 26));
    for killmail in &killmails {
        assert!(database.body_equals(killmail.id(), killmail.text()).await, "killmail {}", killmail.id());
    }
    let before = database.contents().await;
    assert_eq!(counts(&database.store.backfill(&archived).await.unwrap()), (0, 26, 0));
    assert_eq!(database.contents().await, before, "what is there is left as it is");

    // As if none of it had come from an archive.
    let mut by_archive = Vec::new();
    for look in EVERYTHING {
        by_archive.push(database.rows(look).await);
    }
    database.run("delete from killmail").await;
    database.run("delete from killmail_ref").await;
    database.store_real_killmails().await;
    for (look, by_archive) in EVERYTHING.into_iter().zip(by_archive) {
        assert_eq!(database.rows(look).await, by_archive, "{look}");
    }
}

/// The state that is left, and whether the body is stored.
type Left = (&'static str, bool);

/// What a row is like, and what an archive with the same hash and one with another hash make of it.
const CASES: [(&str, Left, Left); 6] = [
    ("hinted_at = now()", ("stored", true), ("wanted", false)),
    ("hinted_at = null, due_at = now() + interval '1 hour', attempt = 3", ("stored", true), ("wanted", false)),
    ("lease_until = now() + interval '1 minute', fence = 7, attempt = 1", ("stored", true), ("wanted", false)),
    ("state = 'invalid', refusals = 1, last_reason = '422'", ("stored", true), ("stored", true)),
    ("state = 'parked', refusals = 3, last_reason = 'odd'", ("stored", true), ("stored", true)),
    // Somebody has thrown the body away by hand, and wants it back.
    ("state = 'stored'", ("stored", true), ("stored", false)),
];

async fn table_of_what_becomes_of_a_reference(database: Database) {
    let (same, other) = (1..=6, 11..=16);
    database.wanted(&references(same.clone().chain(other.clone()))).await;
    for ids in [same.clone(), other.clone()] {
        for (id, (columns, ..)) in ids.zip(CASES) {
            database.run(format!("update killmail_ref set {columns} where killmail_id = {id}")).await;
        }
    }
    // Unknown to the fleet; 22 has its body already, and was asked for once more by hand.
    let mut killmails = small(same.clone().chain([21, 22]));
    assert_eq!(counts(&backfill(&database, &small([22])).await), (1, 0, 0));
    database.run("update killmail_ref set state = 'wanted', hinted_at = now() where killmail_id = 22").await;
    for id in other.clone() {
        let archived = KillmailRef { killmail_id: killmail(id), ..reference(id + 100) };
        killmails.push((archived, small_body(id)));
    }
    let done = backfill(&database, &killmails).await;
    assert_eq!(counts(&done), (9, 1, 4));
    for (killmail_id, reason) in &done.refused {
        let listed = reference(killmail_id.get()).killmail_hash;
        assert!(reason.contains(listed.as_str()), "{reason}");
    }
    let untouched = "select hinted_at, due_at, lease_until, fence, attempt from killmail_ref where state = 'wanted'";
    assert_eq!(database.rows(untouched).await.len(), 3);
    let leased = "select fence from killmail_ref where killmail_id = 13 and lease_until > now() and attempt = 1";
    assert_eq!(database.value(leased).await, json!(7), "the lease stands");

    let expected = same.zip(CASES.map(|(_, same, _)| same)).chain(other.zip(CASES.map(|(.., other)| other)));
    for (id, (state, is_stored)) in expected.chain([(21, ("stored", true)), (22, ("stored", true))]) {
        let row = format!("select state, last_reason, attempt, refusals from killmail_ref where killmail_id = {id}");
        let row = database.row(row).await;
        assert_eq!(row["state"], state, "killmail {id}");
        if state == "stored" {
            assert_eq!((&row["last_reason"], &row["attempt"], &row["refusals"]), (&json!(null), &json!(0), &json!(0)));
        }
        let count = format!(
            "select count(*) from killmail k join killmail_ref r using (killmail_id, killmail_hash)
             where killmail_id = {id} and (select count(*) from killmail_participant p where p.killmail_id = {id}) = 2"
        );
        assert_eq!(database.value(count).await, json!(i64::from(is_stored)), "killmail {id}");
    }
}

async fn who_fetches_one_meanwhile_has_lost_it(database: Database) {
    database.wanted(&references([1, 2])).await;
    let (claim, other) = (database.detail(1).await, database.detail(2).await);
    let archived = small_body(1).replace("90000099", "90000098");
    assert_eq!(counts(&backfill(&database, &[(reference(1), archived.clone())]).await), (1, 0, 0));
    let before = database.contents().await;
    assert!(!database.store.store_body(&claim, new_killmail(&small_body(1))).await.unwrap());
    assert!(!database.store.mark_invalid(&claim, "422").await.unwrap());
    assert!(!database.store.finish_detail(&claim, &Verdict::Parked { reason: String::new() }).await.unwrap());
    assert!(database.store.hand_over_details(std::slice::from_ref(&claim)).await.unwrap().is_empty());
    assert_eq!(database.contents().await, before);
    assert!(database.body_equals(1, &archived).await);
    // A claim on another one is nobody else's business.
    assert!(database.store.store_body(&other, new_killmail(&small_body(2))).await.unwrap());
}

async fn of_many_some_cannot_be_stored(database: Database) {
    let mut killmails = small(1..=40);
    for index in [0, 17, 39] {
        killmails[index].1 = killmails[index].1.replace("\"ship_type_id\":588", "\"ship_type_id\":\"a shuttle\"");
    }
    // Twice in one archive.
    killmails.push((reference(5), small_body(5)));
    let done = backfill(&database, &killmails).await;
    assert_eq!(counts(&done), (37, 1, 3));
    let mut refused: Vec<i64> = done.refused.iter().map(|(killmail_id, _)| killmail_id.get()).collect();
    refused.sort_unstable();
    assert_eq!(refused, [1, 18, 40]);
    for table in ["killmail", "killmail_ref"] {
        assert_eq!(database.value(format!("select count(*) from {table}")).await, json!(37), "{table}");
    }
    assert_eq!(database.value("select count(*) from killmail_participant").await, json!(74));
}

async fn one_that_the_server_does_not_take_is_left_out_alone(database: Database) {
    let mut killmails = small(1..=3);
    killmails[1].1 = small_body(2).replace("\"victim\"", r#""name":"a\u0000b","victim""#);
    let done = backfill(&database, &killmails).await;
    assert_eq!(counts(&done), (2, 0, 1));
    assert_eq!(done.refused[0].0, killmail(2));
    assert!(done.refused[0].1.contains("unsupported Unicode escape"), "{}", done.refused[0].1);
}

async fn the_same_archives_at_once_are_stored_once(database: Database) {
    database.wanted(&references(1..=100)).await;
    let orders = (0..8).map(|number| {
        let mut killmails = small(1..=200);
        killmails.rotate_left(number * 25);
        killmails
    });
    let done =
        at_once(&database, orders, |database, killmails| async move { backfill(&database, &killmails).await }).await;
    assert_eq!(done.iter().map(|done| done.stored).sum::<u64>(), 200);
    assert_eq!(done.iter().map(|done| done.already_stored).sum::<u64>(), 7 * 200);
    assert_eq!(database.value("select count(*) from killmail_participant").await, json!(400));
    assert_eq!(database.value("select count(*) from killmail_ref where state = 'stored'").await, json!(200));
}

/// What somebody does with the same killmails as others.
enum Does {
    Archive(Vec<(KillmailRef, String)>),
    TakeOver(Vec<KillmailId>),
    PutOff(Vec<DetailClaim>),
    HandOver(Vec<DetailClaim>),
}

async fn who_lets_go_of_killmails_and_who_takes_them_never_wait_in_a_circle(database: Database) {
    const AT_ONCE: i64 = 1000;
    const ROUNDS: i64 = 10;
    database.wanted(&references(1..=ROUNDS * AT_ONCE)).await;
    database.run("create index backwards on killmail_ref (killmail_id desc)").await;
    for round in 0..ROUNDS {
        let ids = round * AT_ONCE + 1..=(round + 1) * AT_ONCE;
        let killmail_ids: Vec<KillmailId> = ids.clone().map(killmail).collect();
        let mut claims = database.store.claim_details(&killmail_ids, claimant(false)).await.unwrap();
        // Somebody may hold them in any order, and so may the table its rows.
        claims.sort_by_key(|claim| Reverse(claim.reference.killmail_id));
        database.run("cluster killmail_ref using backwards").await;
        let lets_go = if round % 2 == 0 { Does::PutOff(claims) } else { Does::HandOver(claims) };
        let everybody = [Does::Archive(small(ids)), Does::TakeOver(killmail_ids), lets_go];
        at_once(&database, everybody, |database, does| async move {
            match does {
                Does::Archive(killmails) => assert_eq!(counts(&backfill(&database, &killmails).await).2, 0),
                Does::TakeOver(ids) => drop(database.store.claim_details(&ids, claimant(true)).await.unwrap()),
                Does::PutOff(claims) => {
                    database.store.put_off_details(&claims, Duration::ZERO, "a pause").await.unwrap();
                }
                Does::HandOver(claims) => drop(database.store.hand_over_details(&claims).await.unwrap()),
            }
        })
        .await;
    }
    let stored = "select count(*) from killmail_ref where state = 'stored'";
    assert_eq!(database.value(stored).await, json!(ROUNDS * AT_ONCE));
}
