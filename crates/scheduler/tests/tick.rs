//! What a tick does with hints that are not taken, on a real database and with lanes that the test plays.
#![expect(clippy::unwrap_used, reason = "a test says what failed by the line at which it stops")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use domain::plan::TickSummary;
use domain::{CharacterId, Job, KillmailHash, KillmailId, KillmailRef, Lane, SyncMode};
use scheduler::{PublishedJobs, Room, Scheduler, TickOptions, Ticked};
use secrecy::SecretString;
use store::lease::Claimant;
use store::list_page::ListedPage;
use store::{Keyring, Store, pause, scratch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const DEFAULT_SERVER: &str = "postgres://postgres@127.0.0.1:5432/postgres";
/// The bytes 0 to 31, in base64.
const KEY: &str = "tick:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Three characters that have signed in just now: all are due, and have to refresh first.
fn with_three_due(test: impl AsyncFnOnce(Scheduler)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = runtime.block_on(scratch::create_migrated(&server())).unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let store = Store::connect(&url, "killfleet-tick-test", 2).await.unwrap();
            let keyring = Keyring::parse(&SecretString::from(KEY)).unwrap();
            for id in 1..=3 {
                let (character_id, token) =
                    (CharacterId::parse(id).unwrap(), SecretString::from(format!("token-{id}")));
                store.begin_login(&keyring, character_id, "Pilot", &token).await.unwrap();
                store.complete_login(character_id, "Pilot").await.unwrap();
            }
            test(Scheduler { store, token_buffer: Duration::from_secs(300), all_corporations: false }).await;
        });
    }));
    runtime.block_on(scratch::drop(&url)).unwrap();
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own setting, which no process of the fleet reads")]
fn server() -> SecretString {
    let url = std::env::var("KILLFLEET_TEST_DATABASE_URL").unwrap_or_else(|_| DEFAULT_SERVER.to_owned());
    SecretString::from(url)
}

async fn tick(scheduler: &Scheduler, room: Room, publish: impl AsyncFn(Vec<Job>) -> PublishedJobs) -> Ticked {
    scheduler.tick(TickOptions::default(), room, publish, &CancellationToken::new()).await
}

async fn all_taken(jobs: Vec<Job>) -> PublishedJobs {
    PublishedJobs { confirmed: vec![true; jobs.len()], failure: None }
}

fn summary(queued_refresh: u64, waiting_for_room: u64, unconfirmed: u64) -> TickSummary {
    TickSummary { due: 3, queued_refresh, waiting_for_room, unconfirmed, ..TickSummary::default() }
}

#[test]
fn what_has_no_room_from_the_start_or_after_all_waits_in_its_row() {
    with_three_due(async |scheduler: Scheduler| {
        let refuse_the_last = async |jobs: Vec<Job>| {
            let mut published = all_taken(jobs).await;
            if let Some(last) = published.confirmed.last_mut() {
                *last = false;
            }
            published
        };
        let room = Room { refresh: 2, ..Room::endless() };
        let ticked = tick(&scheduler, room, refuse_the_last).await;
        ticked.ended.unwrap();
        assert_eq!(ticked.summary, summary(1, 2, 0));
        assert_eq!(ticked.left_behind, BTreeSet::from([Lane::Refresh]));

        let ticked = tick(&scheduler, Room::endless(), all_taken).await;
        ticked.ended.unwrap();
        assert_eq!(ticked.summary, TickSummary { due: 2, ..summary(2, 0, 0) });
        assert_eq!(ticked.left_behind, BTreeSet::new());
        assert_eq!(tick(&scheduler, Room::endless(), all_taken).await.summary, TickSummary::default());
    });
}

#[test]
fn what_is_not_confirmed_is_due_again_and_ends_the_tick() {
    with_three_due(async |scheduler: Scheduler| {
        let broken = async |jobs: Vec<Job>| PublishedJobs {
            confirmed: (0..jobs.len()).map(|position| position == 0).collect(),
            failure: Some(anyhow::anyhow!("the broker is away")),
        };
        let ticked = tick(&scheduler, Room::endless(), broken).await;
        assert_eq!(ticked.ended.unwrap_err().to_string(), "the broker is away");
        assert_eq!(ticked.summary, summary(1, 0, 2));
        assert_eq!(ticked.left_behind, BTreeSet::new());
        let ticked = tick(&scheduler, Room::endless(), all_taken).await;
        assert_eq!(ticked.summary, TickSummary { due: 2, ..summary(2, 0, 0) });
    });
}

#[test]
fn while_bodies_pause_none_is_queued_and_nobody_is_told_to_come_back_for_more() {
    for scope in [pause::SCOPE_BODIES, pause::SCOPE_ESI] {
        with_three_due(async |scheduler: Scheduler| {
            let killmail_id = wanted_killmail(&scheduler.store).await;
            let ticked = tick(&scheduler, Room::endless(), all_taken).await;
            assert_eq!(ticked.summary.queued_detail_killmails, 1, "without a pause");
            scheduler.store.unmark_killmails(&[killmail_id]).await.unwrap();

            scheduler.store.pause(scope, "a test", Duration::from_secs(60)).await.unwrap();
            for room in [Room::endless(), Room { detail: 0, ..Room::endless() }] {
                let ticked = tick(&scheduler, room, all_taken).await;
                ticked.ended.unwrap();
                assert_eq!(
                    (ticked.summary.queued_detail_killmails, ticked.left_behind),
                    (0, BTreeSet::new()),
                    "{scope}"
                );
            }
        });
    }
}

/// On the list of one of the three, and nobody has been asked for its body.
async fn wanted_killmail(store: &Store) -> KillmailId {
    let claimant = Claimant { job_id: Uuid::now_v7(), take_over: false };
    let mut claim = store.claim_list(CharacterId::parse(1).unwrap(), claimant).await.unwrap().unwrap();
    let reference = KillmailRef {
        killmail_id: KillmailId::parse(7).unwrap(),
        killmail_hash: KillmailHash::parse("a".repeat(40)).unwrap(),
    };
    let page = ListedPage {
        page: 1,
        references: Some(std::slice::from_ref(&reference)),
        pages: 1,
        etag: None,
        lives_for: Duration::from_secs(300),
        mode: SyncMode::New,
    };
    let saved = store.save_page(&mut claim, page, 0.5).await.unwrap().unwrap();
    store.unmark_killmails(&saved.to_fetch).await.unwrap();
    reference.killmail_id
}

#[test]
fn full_lanes_are_left_alone_and_told_of() {
    with_three_due(async |scheduler: Scheduler| {
        let nothing_comes = async |jobs: Vec<Job>| panic!("{jobs:?} for full lanes");
        let ticked = tick(&scheduler, Room { list: 0, detail: 0, refresh: 0 }, nothing_comes).await;
        ticked.ended.unwrap();
        assert_eq!(ticked.summary, TickSummary::default());
        assert_eq!(ticked.left_behind, BTreeSet::from(Lane::ALL));
    });
}
