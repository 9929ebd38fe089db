//! A file with something of everything in it, and what is to be found in the fleet's database afterwards.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use domain::{Counted, Verdict};
use serde_json::Value;
use store::Keyring;
use store::carry::{BATCH_ROWS, Carried, CarryError, Progress, Refusal};
use store::parked::{Action, Operator};
use store::refresh_job::AnswerSeen;

use crate::harness::arrange::{claimant, listed, references, secret};
use crate::harness::real_killmails::same;
use crate::harness::{Database, Found};

pub(super) const BUSY: i64 = 90_000_001;
pub(super) const REFUSED: i64 = 90_000_002;
pub(super) const LOST: i64 = 90_000_003;
pub(super) const CORPORATION: i64 = 98_000_001;

/// Ids of token streams, by what became of them.
pub(super) const GRANTED_STREAM: i64 = 1;
pub(super) const SUSPECT_STREAM: i64 = 2;
pub(super) const LOST_STREAM: i64 = 3;
/// Of a login that was taken back: the seals of its tokens were bound to it, so it is not given again.
pub(super) const LAST_STREAM: i64 = 5;

pub(super) const OTHER_KEY: &str = "other:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// Of what a row remembers only for who works on it: not carried.
const NOT_CARRIED: [&str; 9] = [
    "hinted_at",
    "exercise_hinted_at",
    "look_hinted_at",
    "lease_until",
    "lease_job_id",
    "access_token_sealed",
    "refresh_token_sealed",
    // Only their order is.
    "token_event_id",
    "operator_action_id",
];
/// Slots for token calls are nobody's; an ETag saves a token, and the next walk brings it; and what is thought of EVE SSO and of ESI, and of what may be spent there, is found
/// out anew; the mark is the file's alone.
const TABLES_NOT_CARRIED: [&str; 9] = [
    "_sqlx_migrations",
    "character_list_page",
    "corporation_list_page",
    "esi_bucket",
    "esi_gate",
    "esi_spent",
    "moved",
    "sso_breaker",
    "sso_slot",
];

/// Fills a file with a little of everything but real bodies.
pub(super) async fn fill_a_little(file: &Database) {
    fill_lists(file).await;
    fill_corporation(file).await;
    fill_streams(file).await;
}

/// Fills a file. In each column that is carried something stands in at least one row.
pub(super) async fn fill(file: &Database) {
    file.store_real_killmails().await;
    fill_a_little(file).await;
    for table in carried_tables(file).await {
        let rows = file.rows(format!(r#"select * from "{table}""#)).await;
        let columns = rows[0].as_object().unwrap().keys().filter(|name| !NOT_CARRIED.contains(&name.as_str()));
        for column in columns {
            let is_filled = rows.iter().any(|row| !row[column.as_str()].is_null());
            assert!(is_filled, "{table}.{column}");
        }
    }
}

async fn fill_lists(file: &Database) {
    let busy = file.character(BUSY).await;
    let mut claim = file.list(busy).await;
    let page = references(1..=4);
    file.store.save_page(&mut claim, listed(&page, 1, 3), 0.5).await.unwrap().unwrap();
    let again = Verdict::RetryAfter {
        delay: std::time::Duration::from_secs(60),
        reason: "an outage".to_owned(),
        counted: Counted::Attempt,
    };
    assert!(file.store.finish_list_before(&claim, &again, 3).await.unwrap());
    file.run(format!(
        r#"update character set list_etag = '"etag"', last_synced_at = now() - interval '1 hour',
                  full_walk_at = now() + interval '29 days', corporation_id = {CORPORATION},
                  director_at = now() - interval '1 hour', affiliation_due_at = now() + interval '1 hour'
           where character_id = {BUSY}"#
    ))
    .await;
    file.stored(1).await;
    // Still wanted, in somebody's hands, given up, and invalid.
    file.detail(2).await;
    let claim = file.detail(3).await;
    assert!(file.store.finish_detail(&claim, &Verdict::Parked { reason: "too odd".to_owned() }).await.unwrap());
    let claim = file.detail(4).await;
    assert!(file.store.mark_invalid(&claim, "422").await.unwrap());
    let operator = Operator { name: Some("root".to_owned()), note: Some("of no use".to_owned()) };
    file.store.record_operator_action(Action::Drop, "message:1", "too odd", &operator).await.unwrap();
    file.store.pause("esi", "error limit (420)", std::time::Duration::from_secs(600)).await.unwrap();
}

/// Read to its end once, and then in trouble.
async fn fill_corporation(file: &Database) {
    let corporation_id = domain::CorporationId::parse(CORPORATION).unwrap();
    assert!(file.store.add_corporation(corporation_id).await.unwrap());
    for in_trouble in [false, true] {
        file.run("update corporation set next_sync_at = now() - interval '1 hour', list_expires_at = null").await;
        let mut claim = file.store.claim_list(corporation_id, claimant(false)).await.unwrap().unwrap();
        if in_trouble {
            assert!(file.store.finish_list(&claim, &Verdict::Parked { reason: "too odd".to_owned() }).await.unwrap());
        } else {
            let page = references(1..=4);
            file.store.save_page(&mut claim, listed(&page, 1, 1), 0.5).await.unwrap().unwrap();
        }
    }
    file.run(
        r#"update corporation set list_etag = '"etag"', resume_page = 2,
                  list_expires_at = now() + interval '5 minutes', full_walk_at = now() + interval '29 days'"#,
    )
    .await;
}

async fn fill_streams(file: &Database) {
    let granted = file.login(BUSY, "first-token").await;
    let mut claim = file.refresh(granted).await;
    let rotated = secret("rotated-token");
    assert!(file.store.save_rotated(&file.keyring, &mut claim, &rotated).await.unwrap());
    assert!(file.grant(&claim, "access-token", 1199).await.is_some());
    file.run(
        r#"update token_stream set owner_hash = 'owner',
               granted_scopes = '["esi-killmails.read_killmails.v1", "publicData"]',
               refused_scopes = '["esi-killmails.read_killmails.v1"]', scope_refused_at = now() - interval '1 hour',
               last_used_at = now() - interval '2 hours', looked_at = now() - interval '1 hour'"#,
    )
    .await;
    let suspect = file.login(REFUSED, "refused-token").await;
    let claim = file.refresh(suspect).await;
    file.refused(&claim).await;
    let lost = file.login(LOST, "lost-token").await;
    let claim = file.refresh(lost).await;
    file.no_grant(&claim, AnswerSeen::MayBeLost).await;
    // One that was never used, and one that was taken back.
    file.login(LOST, "unused-token").await;
    let mistaken = file.login(LOST, "mistaken-token").await;
    assert!(file.store.abandon_login(mistaken).await.unwrap());
    let ids = [granted, suspect, lost, mistaken].map(domain::TokenStreamId::get);
    assert_eq!(ids, [GRANTED_STREAM, SUSPECT_STREAM, LOST_STREAM, LAST_STREAM]);
}

pub(super) fn with_keys(database: &Database, keys: &str) -> Database {
    let mut database = database.clone();
    database.keyring = Keyring::parse(&secret(keys)).unwrap();
    database
}

/// Carries it in small batches.
pub(super) async fn carry(file: &Database, fleet: &Database) -> Result<Carried, CarryError> {
    let mut watch = |_: Progress| ControlFlow::Continue(());
    file.store.carry_to(&fleet.store, &file.keyring, 7, &mut watch).await
}

/// Carries it as the command does.
pub(super) async fn carry_at_once(file: &Database, fleet: &Database) -> Carried {
    let mut watch = |_: Progress| ControlFlow::Continue(());
    file.store.carry_to(&fleet.store, &file.keyring, BATCH_ROWS, &mut watch).await.unwrap()
}

/// Carries it in the smallest batches until so many batches are done. True if there was no more to do.
pub(super) async fn carry_batches(file: &Database, fleet: &Database, batches: usize) -> bool {
    let mut told = 0;
    let mut watch = |_: Progress| {
        told += 1;
        if told == batches { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match file.store.carry_to(&fleet.store, &file.keyring, 1, &mut watch).await {
        Ok(carried) => {
            assert!(carried.finished_at.is_some(), "{carried:?}");
            true
        }
        Err(CarryError::Stopped) => false,
        Err(error) => panic!("{error}"),
    }
}

/// What it says when it does not begin; neither database has changed.
pub(super) async fn refusal(file: &Database, fleet: &Database) -> Refusal {
    let before = (file.contents().await, fleet.contents().await);
    let refusal = match carry(file, fleet).await {
        Err(CarryError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    };
    assert!((file.contents().await, fleet.contents().await) == before, "something was written");
    refusal
}

/// Each row of the file stands in the fleet's database, with all that is carried of it, and nothing else does.
pub(super) async fn assert_all_is_there(file: &Database, fleet: &Database) {
    for table in carried_tables(file).await {
        let (here, there) = (plain_rows(file, &table).await, plain_rows(fleet, &table).await);
        assert_eq!(here.len(), there.len(), "{table}");
        for (here, there) in here.iter().zip(&there) {
            assert!(same(here, there), "{table}:\n{here}\n{there}");
        }
    }
    let is_in_nobodys_hands = "select not exists (select 1 from character where lease_until is not null)
        and not exists (select 1 from killmail_ref where lease_until is not null or hinted_at is not null) as free";
    assert!(fleet.holds(is_in_nobodys_hands).await);
    assert_eq!(open_leases(file).await, open_leases(fleet).await);
    for token_stream_id in [GRANTED_STREAM, SUSPECT_STREAM, LOST_STREAM] {
        assert_eq!(tokens(file, token_stream_id).await, tokens(fleet, token_stream_id).await);
    }
}

async fn open_leases(database: &Database) -> Vec<Value> {
    let rows = database.rows("select token_stream_id from token_stream where lease_until <= now() order by 1").await;
    rows.iter().map(|row| row["token_stream_id"].clone()).collect()
}

/// Both tokens of a stream in clear, as whoever holds the keys reads them.
async fn tokens(database: &Database, token_stream_id: i64) -> [Option<String>; 2] {
    use secrecy::ExposeSecret;
    use store::seal::TokenColumn::{Access, Refresh};
    let id = domain::TokenStreamId::parse(token_stream_id).unwrap();
    let columns = "access_token_sealed, refresh_token_sealed";
    let row = database.row(format!("select {columns} from token_stream where token_stream_id = {id}")).await;
    let open = |name: &str, column| {
        let sealed = bytes(row[name].as_str()?);
        Some(database.keyring.open(id, column, &sealed).unwrap().expose_secret().to_owned())
    };
    [open("access_token_sealed", Access), open("refresh_token_sealed", Refresh)]
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.strip_prefix(r"\x").unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

async fn carried_tables(file: &Database) -> Vec<String> {
    let mut tables = file.tables().await;
    tables.retain(|table| !TABLES_NOT_CARRIED.contains(&table.as_str()));
    assert_eq!(tables.len(), 12, "{tables:?}");
    tables
}

/// The rows of a table in a form that does not tell which database they are from, in the order of their first columns.
async fn plain_rows(database: &Database, table: &str) -> Vec<Value> {
    let rows = database.rows(format!(r#"select * from "{table}" order by 1, 2"#)).await;
    rows.iter().map(plain).collect()
}

fn plain(row: &Found) -> Value {
    let columns: BTreeMap<&String, Value> = row
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| !NOT_CARRIED.contains(&name.as_str()))
        .map(|(name, value)| (name, plain_value(name, value)))
        .collect();
    serde_json::to_value(columns).unwrap()
}

fn plain_value(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if ["body", "granted_scopes", "refused_scopes"].contains(&name) => {
            serde_json::from_str(text).unwrap()
        }
        Value::String(text) => match text.parse::<DateTime<Utc>>() {
            Ok(time) => serde_json::to_value(time).unwrap(),
            Err(_) => value.clone(),
        },
        other => other.clone(),
    }
}
