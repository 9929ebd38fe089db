//! The fleet in a few numbers, and its characters by name.

use std::time::Duration;

use domain::Verdict;
use serde_json::{Value, json};
use store::pause::SCOPE_ESI;

use crate::harness::arrange::{listed, references};
use crate::harness::{Database, contract};

contract![
    an_empty_fleet_is_all_zeroes,
    every_number_counts_what_it_says,
    whoever_needs_a_login_is_not_overdue,
    characters_are_listed_by_name_with_what_an_operator_asks,
];

const NAMES: [&str; 16] = [
    "characters",
    "characters_needing_login",
    "characters_overdue_by_an_hour",
    "streams_active",
    "streams_suspect",
    "streams_dead",
    "streams_quarantined",
    "killmails_stored",
    "killmails_wanted",
    "killmails_invalid",
    "killmails_parked",
    "participants",
    "references_listed",
    "pauses_in_force",
    "corporations",
    "corporations_not_read_for_days",
];

fn numbers(values: [i64; 16]) -> Value {
    NAMES
        .into_iter()
        .zip(values)
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

async fn an_empty_fleet_is_all_zeroes(database: Database) {
    assert_eq!(serde_json::to_value(database.store.status().await.unwrap()).unwrap(), numbers([0; 16]));
    assert!(database.store.characters().await.unwrap().is_empty());
}

async fn every_number_counts_what_it_says(database: Database) {
    // One active and one dead stream; one suspect; one quarantined, which needs a login.
    for (id, token) in [(1, "one"), (1, "two"), (2, "one"), (3, "one")] {
        database.login(id, token).await;
    }
    for (state, id) in [("dead", 2), ("suspect", 3), ("quarantined", 4)] {
        database.run(format!("update token_stream set state = '{state}' where token_stream_id = {id}")).await;
    }
    // The lister without a login, with five killmails; a pilot with two of them.
    database.wanted(&references(1..=5)).await;
    database.stored(1).await;
    database.stored(2).await;
    assert!(database.store.mark_invalid(&database.detail(3).await, "422").await.unwrap());
    let parked = Verdict::Parked { reason: "why".to_owned() };
    assert!(database.store.finish_detail(&database.detail(4).await, &parked).await.unwrap());
    let mut claim = database.list(crate::harness::arrange::character(1)).await;
    let page = references([1, 2]);
    database.store.save_page(&mut claim, listed(&page, 1, 1), 0.5).await.unwrap().unwrap();
    database.run("update character set next_sync_at = now() - interval '61 minutes' where character_id = 2").await;
    database.store.pause(SCOPE_ESI, "420", Duration::from_secs(60)).await.unwrap();
    database.store.pause("sso", "over", Duration::ZERO).await.unwrap();
    for id in [98_000_001, 98_000_002] {
        database.store.add_corporation(domain::CorporationId::parse(id).unwrap()).await.unwrap();
    }
    database.run("update corporation set created_at = now() - interval '97 hours'").await;
    database.run("update corporation set last_synced_at = now() where corporation_id = 98000001").await;
    let status = serde_json::to_value(database.store.status().await.unwrap()).unwrap();
    assert_eq!(status, numbers([4, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 4, 7, 1, 2, 1]));
}

async fn whoever_needs_a_login_is_not_overdue(database: Database) {
    for id in 1..=3 {
        database.login(id, "token").await;
    }
    database.character(4).await;
    database.run("update token_stream set state = 'dead' where character_id = 1").await;
    database.run("update token_stream set refresh_token_sealed = null where character_id = 2").await;
    database.run("update character set next_sync_at = now() - interval '61 minutes'").await;
    let status = database.store.status().await.unwrap();
    assert_eq!((status.characters_needing_login, status.characters_overdue_by_an_hour), (3, 1));
    database.run("update character set next_sync_at = now() - interval '59 minutes'").await;
    assert_eq!(database.store.status().await.unwrap().characters_overdue_by_an_hour, 0);
}

async fn characters_are_listed_by_name_with_what_an_operator_asks(database: Database) {
    database.login(2, "one").await;
    database.login(2, "two").await;
    let pilot = database.character(1).await;
    database.run("update character set character_name = 'Zoe' where character_id = 1").await;
    let mut claim = database.list(pilot).await;
    let page = references([1, 2, 3]);
    database.store.save_page(&mut claim, listed(&page, 1, 2), 0.5).await.unwrap().unwrap();
    assert!(database.store.finish_list(&claim, &Verdict::skipped("no token")).await.unwrap());
    let characters = serde_json::to_value(database.store.characters().await.unwrap()).unwrap();
    let look = |index: usize, name: &str| characters[index][name].clone();
    assert_eq!([look(0, "character_name"), look(1, "character_name")], [json!("Pilot 2"), json!("Zoe")]);
    assert_eq!(
        [look(0, "streams"), look(0, "needs_login"), look(0, "killmails_listed")],
        [json!(2), json!(false), json!(0)]
    );
    assert_eq!(
        [look(1, "streams"), look(1, "needs_login"), look(1, "killmails_listed")],
        [json!(0), json!(true), json!(3)]
    );
    assert_eq!([look(1, "last_verdict"), look(1, "last_reason")], [json!("skipped"), json!("no token")]);
    assert!(look(1, "last_synced_at").is_null());
}
