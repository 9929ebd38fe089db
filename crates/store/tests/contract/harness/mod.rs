//! A database of its own for every test, dropped at the end, also when the test panics.
//!
//! This is all that knows which database it is: a test is registered with [`contract!`] and runs on both. [`look`]
//! reads and moves rows, [`arrange`] brings the rows that a test begins with, [`real_killmails`] holds bodies that ESI
//! has really sent; [`dialect`] is about the SQL of tests.

pub(crate) mod arrange;
mod dialect;
mod found;
mod look;
mod postgres;
pub(crate) mod real_killmails;
mod sqlite;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use found::Found;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgPool;
use sqlx_sqlite::SqlitePool;
use store::{Keyring, Store, StoreError, scratch};
use tokio::sync::{Barrier, Mutex};
use tokio::task::JoinSet;

const DEFAULT_SERVER: &str = "postgres://postgres@127.0.0.1:5432/postgres";
/// A test does one thing after another; those that do not use [`at_once`].
const CONNECTIONS_MAX: u32 = 2;
/// A test that takes this long waits for something that will not come.
pub(crate) const LONGEST_TEST: Duration = Duration::from_secs(120);
/// The bytes 0 to 31, in base64.
const KEY: &str = "contract:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What a test is given. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) store: Store,
    pub(crate) keyring: Keyring,
    pub(crate) url: SecretString,
    connections: Connections,
}

/// Apart from the store's own.
#[derive(Clone)]
enum Connections {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// Which database a test runs on.
#[derive(Clone, Copy)]
pub(crate) enum On {
    Postgres,
    Sqlite,
}

/// What a test finds in its database.
#[derive(Clone, Copy)]
pub(crate) enum Schema {
    Migrated,
    /// Not a single table.
    None,
}

/// Registers functions `async fn(Database)` as tests, each on both databases: `NAME::on_postgres`, `NAME::on_sqlite`.
/// `without_schema:` in front gives them empty databases; `postgres:` or `sqlite:` one database alone;
/// `file_and_fleet:` registers functions `async fn(file: Database, fleet: Database)`, which are given one of each.
macro_rules! contract {
    (file_and_fleet: $($test:ident),+ $(,)?) => { $($crate::harness::file_and_fleet!($test);)+ };
    (without_schema: $($test:ident),+ $(,)?) => {
        $($crate::harness::tests_of!($test, None, on_postgres: Postgres, on_sqlite: Sqlite);)+
    };
    (postgres: $($test:ident),+ $(,)?) => { $($crate::harness::tests_of!($test, Migrated, on_postgres: Postgres);)+ };
    (sqlite: $($test:ident),+ $(,)?) => { $($crate::harness::tests_of!($test, Migrated, on_sqlite: Sqlite);)+ };
    ($($test:ident),+ $(,)?) => {
        $($crate::harness::tests_of!($test, Migrated, on_postgres: Postgres, on_sqlite: Sqlite);)+
    };
}
macro_rules! tests_of {
    ($test:ident, $schema:ident, $($name:ident: $on:ident),+) => {
        mod $test {
            $(
                #[test]
                fn $name() {
                    use $crate::harness::{On, Schema, run};
                    run(On::$on, Schema::$schema, super::$test);
                }
            )+
        }
    };
}
macro_rules! file_and_fleet {
    ($test:ident) => {
        mod $test {
            #[test]
            fn from_sqlite_to_postgres() {
                $crate::harness::run_on_file_and_fleet($crate::harness::LONGEST_TEST, super::$test);
            }
        }
    };
}
pub(crate) use {contract, file_and_fleet, tests_of};

pub(crate) fn run<Running: Future<Output = ()>>(on: On, schema: Schema, test: impl FnOnce(Database) -> Running) {
    run_on([(on, schema)], LONGEST_TEST, |[database]| test(database));
}

pub(crate) fn run_on_file_and_fleet<Running: Future<Output = ()>>(
    longest: Duration,
    test: impl FnOnce(Database, Database) -> Running,
) {
    let databases = [(On::Sqlite, Schema::Migrated), (On::Postgres, Schema::Migrated)];
    run_on(databases, longest, |[file, fleet]| test(file, fleet));
}

fn run_on<const COUNT: usize, Running: Future<Output = ()>>(
    databases: [(On, Schema); COUNT],
    longest: Duration,
    test: impl FnOnce([Database; COUNT]) -> Running,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let urls = databases.map(|(on, schema)| {
        let url = runtime.block_on(scratch_database(on, schema));
        (on, url.unwrap_or_else(|error| panic!("no scratch database: {}", error.failure())))
    });
    // A panic comes back as a value, so that the databases are dropped before it goes on.
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let databases = urls.clone().map(|(on, url)| runtime.block_on(Database::open(on, url)));
        runtime.block_on(async {
            let in_time = tokio::time::timeout(longest, test(databases)).await;
            in_time.expect("the test waits for something that does not come");
        });
    }));
    let dropped = urls.map(|(_, url)| runtime.block_on(scratch::drop(&url)));
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
    for dropped in dropped {
        dropped.unwrap_or_else(|error| panic!("not dropped: {}", error.failure()));
    }
}

async fn scratch_database(on: On, schema: Schema) -> Result<SecretString, StoreError> {
    match (on, schema) {
        (On::Postgres, Schema::Migrated) => scratch::create_migrated(&server()).await,
        (On::Postgres, Schema::None) => scratch::create(&server()).await,
        (On::Sqlite, Schema::Migrated) => scratch::create_file_migrated().await,
        (On::Sqlite, Schema::None) => scratch::create_file(),
    }
}

impl Database {
    async fn open(on: On, url: SecretString) -> Self {
        let store = Store::connect_unchecked(&url, "killfleet-contract", CONNECTIONS_MAX).await.unwrap();
        let keyring = Keyring::parse(&SecretString::from(KEY)).unwrap();
        let connections = match on {
            On::Postgres => Connections::Postgres(postgres::connect(url.expose_secret()).await.unwrap()),
            On::Sqlite => Connections::Sqlite(sqlite::connect(url.expose_secret()).await.unwrap()),
        };
        Self { store, keyring, url, connections }
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own setting, which no process of the fleet reads")]
pub(crate) fn server() -> SecretString {
    let url = std::env::var("KILLFLEET_TEST_DATABASE_URL").unwrap_or_else(|_| DEFAULT_SERVER.to_owned());
    SecretString::from(url)
}

/// Makes one call for every input, all of them at once and each as a process of its own would: on a connection that
/// is open already. Gives what came of each, in no order.
pub(crate) async fn at_once<Input, Running, Output>(
    database: &Database,
    inputs: impl IntoIterator<Item = Input>,
    call: impl Fn(Database, Input) -> Running,
) -> Vec<Output>
where
    Running: Future<Output = Output> + Send + 'static,
    Output: Send + 'static,
{
    // One crowd at a time, however many tests run side by side: a server takes 100 connections.
    static CROWD: Mutex<()> = Mutex::const_new(());
    let _crowd = CROWD.lock().await;
    let mut calls = Vec::new();
    for input in inputs {
        let store = Store::connect_unchecked(&database.url, "killfleet-contract", 1).await.unwrap();
        calls.push((store.clone(), call(Database { store, ..database.clone() }, input)));
    }
    // All of them wait for the last one: what follows the barrier is begun together.
    let start = Arc::new(Barrier::new(calls.len()));
    let mut running = JoinSet::new();
    for (store, call) in calls {
        let start = start.clone();
        running.spawn(async move {
            start.wait().await;
            let output = call.await;
            store.close().await;
            output
        });
    }
    running.join_all().await
}
