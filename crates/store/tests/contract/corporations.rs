//! Corporations, and whose token their lists are read with.

use std::time::Duration;

use domain::token::{CORPORATION_LIST_SCOPE, LIST_SCOPE};
use domain::{Affiliation, CharacterId, CorporationId, ListOwner, SyncMode};
use store::director::NoDirector;
use store::due::DueFilter;
use store::list_page::ListedPage;
use store::refresh_job::Granted;

use crate::harness::arrange::{character, claimant, listed, references, secret};
use crate::harness::{Database, contract};

contract![
    a_corporation_is_hinted_once_and_walked_as_a_character_is,
    its_list_and_a_characters_of_the_same_number_do_not_meet,
    affiliations_are_learned_only_of_those_who_could_read_a_list_and_only_if_there_is_one,
    who_has_been_a_director_comes_first_and_the_least_recently_used_of_them,
    who_is_refused_is_left_alone_for_a_day_with_all_its_logins,
    who_changes_the_corporation_is_nobodys_director_and_may_be_asked_with_again,
    corporations_of_logins_are_added_but_not_the_games_own,
    removed_it_leaves_its_killmails,
    etags_are_kept_for_each_page_of_each_list,
    a_page_that_has_not_changed_brings_the_walk_on_and_nothing_else,
];

const CORPORATION: i64 = 98_000_001;

fn corporation(id: i64) -> CorporationId {
    CorporationId::parse(id).unwrap()
}

/// A login of a character with both scopes.
async fn signed_in(database: &Database, id: i64, token: &str) -> CharacterId {
    let token_stream_id = database.login(id, token).await;
    let claim = database.refresh(token_stream_id).await;
    let (access_token, scopes) = (secret("access"), [LIST_SCOPE, CORPORATION_LIST_SCOPE].map(str::to_owned));
    let expires_at = claim.claimed_at + chrono::TimeDelta::seconds(1199);
    let granted = Granted { access_token: &access_token, expires_at, owner_hash: None, scopes: &scopes };
    database.store.finish_granted(&database.keyring, &claim, granted).await.unwrap().unwrap();
    character(id)
}

/// Lets time pass for what these rules look at.
async fn hours_pass(database: &Database, hours: i64) {
    let earlier = |column: &str| format!("{column} = {column} - interval '{hours} hours'");
    database.run(format!("update token_stream set {}", earlier("scope_refused_at"))).await;
    let columns = [earlier("affiliation_due_at"), earlier("director_at")].join(", ");
    database.run(format!("update character set {columns}")).await;
}

async fn is_in(database: &Database, members: &[(CharacterId, i64)]) {
    let affiliations: Vec<Affiliation> = members
        .iter()
        .map(|(character_id, id)| Affiliation { character_id: *character_id, corporation_id: corporation(*id) })
        .collect();
    database.store.save_affiliations(&affiliations).await.unwrap();
}

async fn directors(database: &Database) -> Vec<i64> {
    let directors = database.store.directors_of(corporation(CORPORATION), 20).await.unwrap();
    directors.into_iter().map(CharacterId::get).collect()
}

async fn a_corporation_is_hinted_once_and_walked_as_a_character_is(database: Database) {
    let (store, id) = (&database.store, corporation(CORPORATION));
    assert_eq!([store.add_corporation(id).await.unwrap(), store.add_corporation(id).await.unwrap()], [true, false]);
    let filter = DueFilter::default();
    assert_eq!(store.count_due_corporations(filter).await.unwrap(), 1);
    assert_eq!(store.claim_due_corporations(filter, 10).await.unwrap(), [id]);
    assert_eq!(store.claim_due_corporations(filter, 10).await.unwrap(), [], "its hint is out");
    store.unmark_corporations(&[id]).await.unwrap();
    assert_eq!(store.claim_due_corporations(filter, 0).await.unwrap(), []);
    assert_eq!(store.claim_due_corporations(filter, 1).await.unwrap(), [id]);
    let mut claim = store.claim_list(id, claimant(false)).await.unwrap().unwrap();
    assert_eq!((claim.owner, claim.mode()), (ListOwner::Corporation(id), SyncMode::Full));
    assert!(store.claim_list(id, claimant(false)).await.unwrap().is_none());
    let shown = references([1, 2]);
    let page = ListedPage { lives_for: Duration::from_secs(300), ..listed(&shown, 1, 1) };
    let saved = store.save_page(&mut claim, page, 0.5).await.unwrap().unwrap();
    assert_eq!((saved.next_page, saved.to_fetch.len(), saved.unseen), (None, 2, 2));
    let told = &store.corporations().await.unwrap()[0];
    assert_eq!((told.corporation_id, told.killmails_listed), (CORPORATION, 2));
    assert_eq!((told.last_verdict.as_deref(), told.last_synced_at.is_some()), (Some("done"), true));
    let forced = DueFilter { force: true, ..filter };
    assert_eq!(store.claim_due_corporations(forced, 10).await.unwrap(), [], "not before it has expired");
    database.run("update corporation set list_expires_at = now() - interval '1 second'").await;
    assert_eq!(store.claim_due_corporations(filter, 10).await.unwrap(), []);
    assert_eq!(store.claim_due_corporations(forced, 10).await.unwrap(), [id]);
    assert_eq!(database.number("select count(*) from sync_run where corporation_id = 98000001").await as i64, 1);
}

async fn its_list_and_a_characters_of_the_same_number_do_not_meet(database: Database) {
    let (pilot, id) = (database.character(CORPORATION).await, corporation(CORPORATION));
    database.store.add_corporation(id).await.unwrap();
    let mut of_pilot = database.list(pilot).await;
    let mut of_corporation = database.store.claim_list(id, claimant(false)).await.unwrap().unwrap();
    for (claim, shown) in [(&mut of_pilot, 1..=2), (&mut of_corporation, 1..=3)] {
        let references = references(shown);
        let saved = database.store.save_page(claim, listed(&references, 1, 1), 0.5).await.unwrap().unwrap();
        assert_eq!(saved.unseen, references.len(), "what the other has shown is new to it");
    }
    for (table, rows) in [("character_killmail", 2), ("corporation_killmail", 3), ("killmail_ref", 3)] {
        assert_eq!(database.number(&format!("select count(*) from {table}")).await as i64, rows, "{table}");
    }
}

async fn affiliations_are_learned_only_of_those_who_could_read_a_list_and_only_if_there_is_one(database: Database) {
    let store = &database.store;
    let pilot = signed_in(&database, 1, "one").await;
    // Without the scope, and given up.
    database.login(2, "token of 2").await;
    signed_in(&database, 3, "three").await;
    database.run("update token_stream set state = 'dead' where character_id = 3").await;
    assert_eq!(store.claim_due_affiliations(false, 10).await.unwrap(), [], "nobody needs to know");
    assert_eq!(store.claim_due_affiliations(true, 10).await.unwrap(), [pilot]);
    store.put_off_affiliations(&[pilot], Duration::ZERO).await.unwrap();
    store.add_corporation(corporation(CORPORATION)).await.unwrap();
    assert_eq!(store.claim_due_affiliations(false, 0).await.unwrap(), []);
    assert_eq!(store.claim_due_affiliations(false, 10).await.unwrap(), [pilot]);
    assert_eq!(store.claim_due_affiliations(false, 10).await.unwrap(), [], "it is being asked");
    is_in(&database, &[(pilot, CORPORATION)]).await;
    hours_pass(&database, 23).await;
    assert_eq!(store.claim_due_affiliations(false, 10).await.unwrap(), []);
    hours_pass(&database, 2).await;
    assert_eq!(store.claim_due_affiliations(false, 10).await.unwrap(), [pilot]);
}

async fn who_has_been_a_director_comes_first_and_the_least_recently_used_of_them(database: Database) {
    for id in 1..=5 {
        let pilot = signed_in(&database, id, &format!("token of {id}")).await;
        is_in(&database, &[(pilot, if id == 5 { CORPORATION + 1 } else { CORPORATION })]).await;
    }
    assert_eq!(directors(&database).await, [1, 2, 3, 4]);
    database.store.record_director(character(3)).await.unwrap();
    hours_pass(&database, 1).await;
    database.store.record_director(character(2)).await.unwrap();
    assert_eq!(directors(&database).await, [3, 2, 1, 4]);
    hours_pass(&database, 1).await;
    database.store.record_director(character(3)).await.unwrap();
    assert_eq!(directors(&database).await, [2, 3, 1, 4]);
    let few = database.store.directors_of(corporation(CORPORATION), 1).await.unwrap();
    assert_eq!(few, [character(2)]);
}

async fn who_is_refused_is_left_alone_for_a_day_with_all_its_logins(database: Database) {
    let pilot = signed_in(&database, 1, "one").await;
    signed_in(&database, 1, "another").await;
    is_in(&database, &[(pilot, CORPORATION)]).await;
    database.store.record_director(pilot).await.unwrap();
    database.store.refuse_director(pilot, NoDirector::RoleMissing).await.unwrap();
    assert_eq!(directors(&database).await, [0; 0]);
    let events = "select count(*) from token_event where event = 'scope_refused'";
    assert_eq!(database.number(events).await as i64, 2);
    // The character's own list is not touched by it.
    let streams = database.store.streams_of(pilot).await.unwrap().streams;
    assert!(streams.iter().all(|stream| !stream.lacks_scope));
    let streams = database.store.streams_for(pilot, CORPORATION_LIST_SCOPE).await.unwrap().streams;
    assert!(streams.iter().all(|stream| stream.lacks_scope));
    assert_eq!(database.store.claim_due_affiliations(true, 10).await.unwrap(), [], "nobody doubts where it is");
    hours_pass(&database, 23).await;
    assert_eq!(directors(&database).await, [0; 0]);
    hours_pass(&database, 2).await;
    assert_eq!(directors(&database).await, [1]);
}

async fn who_changes_the_corporation_is_nobodys_director_and_may_be_asked_with_again(database: Database) {
    let pilot = signed_in(&database, 1, "one").await;
    is_in(&database, &[(pilot, CORPORATION + 1)]).await;
    database.store.record_director(pilot).await.unwrap();
    database.store.refuse_director(pilot, NoDirector::NotInCorporation).await.unwrap();
    database.store.add_corporation(corporation(CORPORATION)).await.unwrap();
    database.run("update corporation set next_sync_at = now() + interval '1 hour'").await;
    assert_eq!(database.store.claim_due_affiliations(false, 10).await.unwrap(), [pilot], "it is asked at once");
    // ESI's own copy is old: it stays refused.
    is_in(&database, &[(pilot, CORPORATION + 1)]).await;
    assert_eq!(database.store.directors_of(corporation(CORPORATION + 1), 20).await.unwrap(), []);
    assert_eq!(database.store.claim_due_corporations(DueFilter::default(), 10).await.unwrap(), []);
    is_in(&database, &[(pilot, CORPORATION)]).await;
    assert_eq!(directors(&database).await, [1]);
    assert!(database.holds("select director_at is null as there from character").await);
    let due = database.store.claim_due_corporations(DueFilter::default(), 10).await.unwrap();
    assert_eq!(due, [corporation(CORPORATION)], "the one that it has come to may have waited for it");
}

async fn corporations_of_logins_are_added_but_not_the_games_own(database: Database) {
    for (id, corporation_id) in [(1, CORPORATION), (2, CORPORATION), (3, 1_000_001), (4, CORPORATION + 1)] {
        let pilot = signed_in(&database, id, &format!("token of {id}")).await;
        is_in(&database, &[(pilot, corporation_id)]).await;
    }
    signed_in(&database, 5, "five").await;
    database.run("update token_stream set state = 'dead' where character_id = 4").await;
    assert_eq!(database.store.add_corporations_of_logins().await.unwrap(), 1);
    assert_eq!(database.store.add_corporations_of_logins().await.unwrap(), 0);
    let told = database.store.corporations().await.unwrap();
    let told: Vec<_> = told.iter().map(|told| (told.corporation_id, told.members, told.directors)).collect();
    assert_eq!(told, [(CORPORATION, 2, 0)]);
}

async fn removed_it_leaves_its_killmails(database: Database) {
    let id = corporation(CORPORATION);
    database.store.add_corporation(id).await.unwrap();
    let mut claim = database.store.claim_list(id, claimant(false)).await.unwrap().unwrap();
    database.store.save_page(&mut claim, listed(&references([1, 2]), 1, 1), 0.5).await.unwrap().unwrap();
    let removed =
        [database.store.remove_corporation(id).await.unwrap(), database.store.remove_corporation(id).await.unwrap()];
    assert_eq!(removed, [true, false]);
    assert!(database.store.claim_list(id, claimant(true)).await.unwrap().is_none());
    for (table, rows) in [("corporation_killmail", 0), ("sync_run", 0), ("killmail_ref", 2)] {
        assert_eq!(database.number(&format!("select count(*) from {table}")).await as i64, rows, "{table}");
    }
}

async fn etags_are_kept_for_each_page_of_each_list(database: Database) {
    let (pilot, id) = (database.character(1).await, corporation(CORPORATION));
    database.store.add_corporation(id).await.unwrap();
    let mut claims =
        [database.list(pilot).await, database.store.claim_list(id, claimant(false)).await.unwrap().unwrap()];
    for claim in &mut claims {
        for (page, etag) in [(1, Some("one")), (2, Some("two")), (2, Some("two again")), (3, Some("three")), (3, None)]
        {
            let references = references(page..=page);
            let page = u32::try_from(page).unwrap();
            let listed = ListedPage { etag, mode: SyncMode::Full, ..listed(&references, page, 9) };
            database.store.save_page(claim, listed, 0.5).await.unwrap().unwrap();
        }
        let mut etags = Vec::new();
        for page in 1..=3 {
            etags.push(database.store.page_etag(claim.owner, page).await.unwrap());
        }
        assert_eq!(etags, [None, Some("two again".to_owned()), None], "that of the first page stands in its row");
    }
}

async fn a_page_that_has_not_changed_brings_the_walk_on_and_nothing_else(database: Database) {
    let pilot = database.character(1).await;
    let mut claim = database.list(pilot).await;
    let page = |page, mode| ListedPage { references: None, etag: Some("etag"), mode, ..listed(&[], page, 3) };
    let saved = database.store.save_page(&mut claim, page(2, SyncMode::Full), 0.5).await.unwrap().unwrap();
    assert_eq!((saved.next_page, saved.unseen, saved.to_fetch.len()), (Some(3), 0, 0));
    assert_eq!(database.store.page_etag(claim.owner, 2).await.unwrap().as_deref(), Some("etag"));
    let saved = database.store.save_page(&mut claim, page(2, SyncMode::New), 0.5).await.unwrap().unwrap();
    assert_eq!(saved.next_page, None, "whoever looks for what is new has found the known");
    assert!(database.holds("select resume_page is null as there from character").await);
}
