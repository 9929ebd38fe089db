//! Handlers that panic, with the whole worker around them. What panics is the recorder of metrics, in the middle of a
//! handler; ESI and EVE SSO are ports at which nobody listens.

#![expect(clippy::unwrap_used, reason = "what cannot be had fails its test")]

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use domain::token::LIST_SCOPE;
use domain::{
    CharacterId, Delivered, Job, JobMessage, KillmailHash, KillmailId, KillmailRef, Outcome, SyncList, SyncMode,
    TokenStreamId, Verdict,
};
use esi::{ClientAuth, Esi, Http, Sso, SsoSettings};
use futures_util::FutureExt as _;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use secrecy::{ExposeSecret, SecretString};
use service::metrics as names;
use sqlx::{AssertSqlSafe, FromRow};
use sqlx_sqlite::{SqlitePool, SqliteRow};
use store::lease::Claimant;
use store::list_page::ListedPage;
use store::login::LoginStart;
use store::refresh_job::{Granted, RefreshStart};
use store::{Keyring, Store, scratch};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;
use worker::refresh::Refresher;
use worker::{Pace, Pauses, Worker};

const NOBODY: &str = "http://127.0.0.1:1";
/// The bytes 0 to 31, in base64.
const KEY: &str = "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PILOT: i64 = 90_000_001;

/// Panics when this counter is asked for the nth time, and counts panics as they are told.
struct Trap {
    counter: &'static str,
    springs_at: usize,
    asked: AtomicUsize,
    panics: Arc<AtomicUsize>,
}

impl Trap {
    fn at(springs_at: usize, counter: &'static str) -> Self {
        Self { counter, springs_at, asked: AtomicUsize::new(0), panics: Arc::default() }
    }
}

impl Recorder for Trap {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == names::PANICS {
            self.panics.fetch_add(1, Ordering::SeqCst);
        }
        if key.name() == self.counter {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            assert_ne!(asked, self.springs_at, "sprung\n\u{0}at {asked}");
        }
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

struct Bench {
    worker: Arc<Worker>,
    /// Beside the store's own connections.
    file: SqlitePool,
}

/// Runs a test on a file of its own, which is removed also when it panics.
async fn on_a_bench(test: impl AsyncFnOnce(&Bench)) {
    let url = scratch::create_file_migrated().await.unwrap();
    let store = Store::connect(&url, "killfleet-test", 2).await.unwrap();
    let http = Http::build("test@example.com").unwrap();
    let sso_url = Url::parse(NOBODY).unwrap();
    let sso = SsoSettings {
        token_url: Some(sso_url.join("token").unwrap()),
        sso_url,
        jwks_url: None,
        authorize_url: None,
        validate_url: None,
        client_id: "client".to_owned(),
        client_auth: ClientAuth::None,
    };
    let sso = Sso::build(http.clone(), sso).unwrap();
    let worker = Worker {
        refresher: Refresher::of(store.clone(), keyring(), sso, 4),
        esi: Esi::build(http, Url::parse(NOBODY).unwrap()).unwrap(),
        token_buffer: Duration::from_secs(300),
        tiers: domain::tier::Tiers::default(),
        pauses: Pauses::with(None),
        pace: Pace::default(),
        speaks_for_fleet: true,
    };
    let file = SqlitePool::connect(url.expose_secret()).await.unwrap();
    let bench = Bench { worker: Arc::new(worker), file };
    let ended = AssertUnwindSafe(test(&bench)).catch_unwind().await;
    bench.file.close().await;
    store.close().await;
    scratch::drop(&url).await.unwrap();
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

fn keyring() -> Keyring {
    Keyring::parse(&KEY.to_owned().into()).unwrap()
}

impl Bench {
    fn store(&self) -> &Store {
        self.worker.refresher.store()
    }

    /// Does one job while the trap is set; tells what came of it, and how many panics were counted.
    async fn does(&self, job: Job, trap: Trap) -> (Outcome, usize) {
        let message = JobMessage::identified(Uuid::now_v7(), Uuid::now_v7(), job);
        let delivered = Delivered { message, redelivered: false };
        let panics = Arc::clone(&trap.panics);
        // Everything runs on the thread of the test, and so does the recorder.
        let _recorder = metrics::set_default_local_recorder(&trap);
        let outcome = worker::handle(Arc::clone(&self.worker), delivered, CancellationToken::new()).await;
        (outcome, panics.load(Ordering::SeqCst))
    }

    async fn run(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.file).await.unwrap();
    }

    async fn row<T: for<'row> FromRow<'row, SqliteRow> + Send + Unpin>(&self, sql: &str) -> T {
        sqlx::query_as(AssertSqlSafe(sql.to_owned())).fetch_one(&self.file).await.unwrap()
    }

    /// A pilot with an access token that lives for so many minutes, due and hinted.
    async fn signed_in(&self, minutes: i64) -> (SyncList, TokenStreamId) {
        let character_id = CharacterId::parse(PILOT).unwrap();
        let token = SecretString::from("refresh-token");
        let login = self.store().begin_login(&keyring(), character_id, "Pilot", &token).await.unwrap();
        let LoginStart::Added(token_stream_id) = login else { panic!("{login:?}") };
        let start = self.store().claim_refresh(&keyring(), token_stream_id, None, 4).await.unwrap();
        let RefreshStart::Claimed(claim) = start else { panic!("{start:?}") };
        let granted = Granted {
            access_token: &SecretString::from("access-token"),
            expires_at: claim.claimed_at + TimeDelta::minutes(minutes),
            owner_hash: None,
            scopes: &[LIST_SCOPE.to_owned()],
        };
        self.store().finish_granted(&keyring(), &claim, granted).await.unwrap().unwrap();
        self.run("update character set hinted_at = next_sync_at").await;
        (SyncList { character_id, mode: SyncMode::New }, token_stream_id)
    }

    /// Wanted killmails with hints, from the list of a pilot.
    async fn wanted(&self, ids: &[i64]) -> Job {
        let (pilot, _) = self.signed_in(20).await;
        let references: Vec<KillmailRef> = ids
            .iter()
            .map(|id| KillmailRef {
                killmail_id: KillmailId::parse(*id).unwrap(),
                killmail_hash: KillmailHash::parse("ab".repeat(20)).unwrap(),
            })
            .collect();
        let claimant = Claimant { job_id: Uuid::now_v7(), take_over: false };
        let mut claim = self.store().claim_list(pilot.character_id, claimant).await.unwrap().unwrap();
        let page = ListedPage {
            page: 1,
            references: Some(&references),
            pages: 1,
            etag: None,
            lives_for: Duration::ZERO,
            mode: SyncMode::New,
        };
        let saved = self.store().save_page(&mut claim, page, 0.5).await.unwrap().unwrap();
        Job::FetchDetails { killmail_ids: saved.to_fetch }
    }

    /// The list is due again in an hour, with the reason, and in nobody's hands.
    async fn list_is_put_off(&self) {
        let (verdict, reason, is_free, is_later): (String, String, bool, bool) = self
            .row(
                "select last_verdict, last_reason, lease_until is null and hinted_at is null,
                        next_sync_at between strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+50 minutes')
                                         and strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+61 minutes') from character",
            )
            .await;
        assert_eq!((verdict.as_str(), is_free, is_later), ("retry", true, true), "{reason}");
        assert!(reason.starts_with("the handler panicked: ") && reason.contains("sprung  at"), "{reason:?}");
    }
}

#[tokio::test]
async fn only_the_killmail_at_which_it_happens_is_to_blame_and_it_is_parked_in_the_end() {
    on_a_bench(async |bench| {
        let job = bench.wanted(&[10, 11, 12]).await;
        for (number, state) in (1..).zip(["wanted", "wanted", "parked"]) {
            // From the end: 11 is the second of three calls, and later the only one that is due.
            let springs_at = if number == 1 { 2 } else { 1 };
            let (outcome, panics) = bench.does(job.clone(), Trap::at(springs_at, names::ESI_REQUESTS)).await;
            assert!(matches!(outcome.verdict, Verdict::RetryAfter { .. } | Verdict::Parked { .. }), "{outcome:?}");
            assert_eq!(panics, 1);
            let (found, refusals, reason, is_free): (String, i64, String, bool) = bench
                .row(
                    "select state, refusals, last_reason, lease_until is null and hinted_at is null
                     from killmail_ref where killmail_id = 11",
                )
                .await;
            assert_eq!((found.as_str(), refusals, is_free), (state, number, true));
            assert!(reason.starts_with("the handler panicked: "), "{reason}");
            bench.run("update killmail_ref set due_at = '2026-01-01T00:00:00.000000Z' where killmail_id = 11").await;
        }
        let others: (i64, i64, i64) = bench
            .row("select count(*), sum(refusals), sum(attempt) from killmail_ref where killmail_id <> 11 and state = 'wanted'")
            .await;
        assert_eq!(others, (2, 0, 2), "they had their turn");
    })
    .await;
}

#[tokio::test]
async fn a_list_is_put_off_with_the_reason() {
    on_a_bench(async |bench| {
        let (pilot, _) = bench.signed_in(20).await;
        let (outcome, panics) = bench.does(Job::SyncList(pilot), Trap::at(1, names::ESI_REQUESTS)).await;
        assert!(matches!(outcome.verdict, Verdict::RetryAfter { .. }) && outcome.follow_ups.is_empty(), "{outcome:?}");
        assert_eq!(panics, 1);
        bench.list_is_put_off().await;
        // What comes too late finds nothing to do.
        let (outcome, _) = bench.does(Job::SyncList(pilot), Trap::at(1, names::ESI_REQUESTS)).await;
        assert!(matches!(outcome.verdict, Verdict::Skipped { .. }), "{outcome:?}");
    })
    .await;
}

#[tokio::test]
async fn a_refresh_that_panics_puts_its_list_off_and_does_not_harm_the_login() {
    on_a_bench(async |bench| {
        let (then, token_stream_id) = bench.signed_in(-1).await;
        let job = Job::RefreshToken { token_stream_id, then };
        let (outcome, panics) = bench.does(job, Trap::at(1, names::TOKEN_REFRESHES)).await;
        assert!(matches!(outcome.verdict, Verdict::RetryAfter { .. }), "{outcome:?}");
        assert_eq!(panics, 1);
        bench.list_is_put_off().await;
        let stream: (String, i64, bool) =
            bench.row("select state, strikes, refresh_token_sealed is not null from token_stream").await;
        assert_eq!(stream, ("active".to_owned(), 0, true));
    })
    .await;
}

#[tokio::test]
async fn affiliations_are_asked_for_again_an_hour_later() {
    on_a_bench(async |bench| {
        let (pilot, _) = bench.signed_in(20).await;
        let job = Job::LearnAffiliations { character_ids: vec![pilot.character_id] };
        let (outcome, panics) = bench.does(job, Trap::at(1, names::ESI_REQUESTS)).await;
        assert!(matches!(outcome.verdict, Verdict::RetryAfter { .. }), "{outcome:?}");
        assert_eq!(panics, 1);
        let put_off = "affiliation_due_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+50 minutes')";
        let (is_put_off, is_touched): (bool, bool) =
            bench.row(&format!("select {put_off}, last_verdict is not null from character")).await;
        assert_eq!((is_put_off, is_touched), (true, false), "its list is another matter");
    })
    .await;
}
