//! What only a file can do: whose it is, what it cannot be, and how several processes share it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::FailureClass;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{ConnectOptions as _, Connection as _};
use store::due::DueFilter;
use store::{Store, StoreError};

use crate::harness::arrange::claimant;
use crate::harness::{Database, contract};

contract![
    sqlite:
    what_is_created_is_its_owners_alone,
    a_file_that_is_there_is_taken_as_it_is,
    a_file_that_is_not_there_is_not_created_by_who_only_connects,
    what_is_no_database_is_refused_and_left_alone,
    the_file_of_another_program_is_refused_and_not_changed_in_a_single_byte,
    what_cannot_be_written_is_refused_by_whoever_may_not_write_it,
    a_folder_that_cannot_be_made_is_refused,
    a_commit_is_in_the_log_beside_the_file_when_it_is_answered,
    another_process_sees_a_commit_as_soon_as_it_is_answered,
    while_another_process_writes_ours_waits_and_does_not_fail,
    who_only_reads_waits_for_nobody,
    a_file_that_was_taken_away_is_missed_until_it_is_back,
    a_name_is_never_taken_for_a_uri,
    a_log_that_has_grown_gives_its_room_back,
];

const PROCESS: &str = "killfleet-contract";

fn file(database: &Database) -> PathBuf {
    PathBuf::from(database.url.expose_secret().strip_prefix("sqlite:").unwrap())
}

/// A path beside the test's own file.
fn beside(database: &Database, name: &str) -> PathBuf {
    file(database).with_file_name(name)
}

fn url(path: &Path) -> SecretString {
    SecretString::from(format!("sqlite:{}", path.display()))
}

fn rights(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

/// It is a matter of settings, and the text says of which.
fn assert_is_a_matter_of_settings(refused: Result<Store, StoreError>, what: &str) {
    let error = refused.expect_err(what);
    assert_eq!(error.class(), FailureClass::Configuration, "{what}: {}", error.failure());
    let text = error.failure().to_string();
    assert!(text.contains("KILLFLEET_DATABASE_URL"), "{what}: {text}");
}

async fn what_is_created_is_its_owners_alone(database: Database) {
    let path = beside(&database, "data").join("of-the-fleet").join("killfleet.db");
    let store = Store::connect_unchecked(&url(&path), PROCESS, 1).await.unwrap();
    store.migrate().await.unwrap();
    for folder in path.ancestors().skip(1).take(2) {
        assert_eq!(rights(folder), 0o700, "{}", folder.display());
    }
    let mut files = 0;
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(rights(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 3, "the file, its log and the index of it");
    store.close().await;
}

async fn a_file_that_is_there_is_taken_as_it_is(database: Database) {
    database.character(1).await;
    fs::set_permissions(file(&database), Permissions::from_mode(0o640)).unwrap();
    let store = Store::connect_unchecked(&database.url, PROCESS, 1).await.unwrap();
    assert_eq!(store.characters().await.unwrap().len(), 1);
    assert_eq!(rights(&file(&database)), 0o640);
    store.close().await;
}

async fn a_file_that_is_not_there_is_not_created_by_who_only_connects(database: Database) {
    let path = beside(&database, "misspelt.db");
    assert_is_a_matter_of_settings(Store::connect(&url(&path), PROCESS, 1).await, "a file that is not there");
    assert!(!path.exists());
}

async fn what_is_no_database_is_refused_and_left_alone(database: Database) {
    let text = beside(&database, "notes.txt");
    fs::write(&text, "milk, eggs, a fleet of killmails\n".repeat(1000)).unwrap();
    let before = fs::read(&text).unwrap();
    let folder = beside(&database, "folder");
    fs::create_dir(&folder).unwrap();
    for path in [&text, &folder] {
        let what = path.display().to_string();
        assert_is_a_matter_of_settings(Store::connect(&url(path), PROCESS, 1).await, &what);
        assert_is_a_matter_of_settings(Store::connect_unchecked(&url(path), PROCESS, 1).await, &what);
    }
    assert_eq!(fs::read(&text).unwrap(), before);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

async fn the_file_of_another_program_is_refused_and_not_changed_in_a_single_byte(database: Database) {
    let path = beside(&database, "bookmarks.db");
    let options = sqlx_sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut theirs = options.connect().await.unwrap();
    sqlx::query("create table bookmarks (url text)").execute(&mut theirs).await.unwrap();
    theirs.close().await.unwrap();
    let before = fs::read(&path).unwrap();
    assert_is_a_matter_of_settings(Store::connect(&url(&path), PROCESS, 1).await, "to connect");
    assert_is_a_matter_of_settings(Store::connect_unchecked(&url(&path), PROCESS, 1).await, "to migrate");
    assert_eq!(fs::read(&path).unwrap(), before);
    let beside_it = fs::read_dir(path.parent().unwrap()).unwrap();
    let ours = beside_it.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("bookmarks"));
    assert_eq!(ours.count(), 1, "no log beside it either");
}

async fn what_cannot_be_written_is_refused_by_whoever_may_not_write_it(database: Database) {
    // Another file than the test's own: SQLite opens none a second time that its process has open.
    let path = beside(&database, "locked").join("killfleet.db");
    let store = Store::connect_unchecked(&url(&path), PROCESS, 1).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    // The system lets some users, as `root`, write everything: they get what they ask for.
    let trial = beside(&database, "trial");
    fs::write(&trial, "").unwrap();
    fs::set_permissions(&trial, Permissions::from_mode(0o400)).unwrap();
    let may_write_everything = fs::OpenOptions::new().write(true).open(&trial).is_ok();
    for (locked, rights, open) in [(path.as_path(), 0o400, 0o600), (path.parent().unwrap(), 0o500, 0o700)] {
        fs::set_permissions(locked, Permissions::from_mode(rights)).unwrap();
        let stores =
            [Store::connect(&url(&path), PROCESS, 1).await, Store::connect_unchecked(&url(&path), PROCESS, 1).await];
        fs::set_permissions(locked, Permissions::from_mode(open)).unwrap();
        for store in stores {
            match store {
                Ok(store) if may_write_everything => store.close().await,
                refused => assert_is_a_matter_of_settings(refused, &locked.display().to_string()),
            }
        }
    }
}

async fn a_folder_that_cannot_be_made_is_refused(database: Database) {
    let below_a_file = file(&database).join("below").join("killfleet.db");
    let refused = Store::connect_unchecked(&url(&below_a_file), PROCESS, 1).await;
    assert_is_a_matter_of_settings(refused, "a folder below a file");
}

async fn a_commit_is_in_the_log_beside_the_file_when_it_is_answered(database: Database) {
    let log = beside(&database, "killfleet.db-wal");
    let written = || fs::metadata(&log).map_or(0, |log| log.len());
    let before = written();
    database.login(1, "first-token").await;
    assert!(written() > before, "{before} bytes before, {} after", written());
    assert_eq!(database.value("select journal_mode from pragma_journal_mode").await.as_str(), Some("wal"));
}

async fn another_process_sees_a_commit_as_soon_as_it_is_answered(database: Database) {
    let other = Store::connect(&database.url, PROCESS, 1).await.unwrap();
    for id in 1..=20 {
        let (writing, reading) = if id % 2 == 0 { (&database.store, &other) } else { (&other, &database.store) };
        writing.pause(&format!("scope-{id}"), "why", Duration::from_secs(60)).await.unwrap();
        let seen = reading.pauses().await.unwrap();
        assert!(seen.iter().any(|pause| pause.scope == format!("scope-{id}")), "{seen:?}");
    }
    other.close().await;
}

async fn while_another_process_writes_ours_waits_and_does_not_fail(database: Database) {
    let pilot = database.character(1).await;
    let writes = ["update character set hinted_at = now()"];
    let claimed = database.while_another_writes(&writes, database.store.claim_list(pilot, claimant(false))).await;
    assert!(claimed.unwrap().is_some());
}

async fn who_only_reads_waits_for_nobody(database: Database) {
    let pilot = database.character(1).await;
    let writes = ["update character set character_name = 'Renamed'"];
    let reads_and_then_writes = async {
        let characters = database.store.characters().await.unwrap();
        database.store.complete_login(pilot, "Last").await.unwrap();
        characters
    };
    let characters = database.while_another_writes(&writes, reads_and_then_writes).await;
    assert_eq!(characters[0].character_name, "Pilot 1", "as it was before the other began to write");
}

async fn a_file_that_was_taken_away_is_missed_until_it_is_back(database: Database) {
    let pilot = database.character(1).await;
    let (here, there) = (file(&database), beside(&database, "elsewhere.db"));
    let goes_on = async || database.store.streams_of(pilot).await.map(|_| ());
    let is_missed = async |what: &str| {
        let error = goes_on().await.expect_err(what);
        assert_eq!(error.class(), FailureClass::Configuration, "{what}");
        assert!(error.failure().reason.contains(&here.display().to_string()), "{what}: {error}");
        assert!(database.store.due_characters(DueFilter::default(), None, 10).await.is_err(), "{what}");
    };
    goes_on().await.unwrap();
    fs::rename(&here, &there).unwrap();
    is_missed("no file").await;
    fs::write(&here, "another").unwrap();
    is_missed("another file").await;
    fs::rename(&there, &here).unwrap();
    goes_on().await.unwrap();
}

async fn a_name_is_never_taken_for_a_uri(_: Database) {
    // Only a relative path can begin so.
    let name = format!("file:killfleet-contract-{}.db", std::process::id());
    let store = Store::connect_unchecked(&url(Path::new(&name)), PROCESS, 1).await;
    if let Ok(store) = &store {
        store.close().await;
    }
    fs::remove_file(&name).unwrap();
    assert!(store.is_ok(), "it is the file of that name that is opened");
}

async fn a_log_that_has_grown_gives_its_room_back(database: Database) {
    let log = beside(&database, "killfleet.db-wal");
    let megabytes = || fs::metadata(&log).unwrap().len() / 1_000_000;
    let pause = async |seconds, reason: &str| {
        database.store.pause("scope", reason, Duration::from_secs(seconds)).await.unwrap();
    };
    pause(60, &"x".repeat(40_000_000)).await;
    assert!(megabytes() >= 40, "{} MB", megabytes());
    pause(120, "short").await;
    assert!(megabytes() < 20, "{} MB", megabytes());
}
