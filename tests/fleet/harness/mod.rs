//! What a fleet test stands on: a database, queues and a simulator of its own, and the built binaries.
//!
//! The rule: a test shares nothing with another one but the two servers, and leaves nothing behind, on panic either.
//! Where to start: [`fleet`] runs a test, [`Fleet`] is what it gets, [`oracle`] is how it ends.

mod binaries;
mod database;
mod fleet;
mod oracle;
mod output;
mod process;
mod proxy;
mod queues;
mod simulator;
mod temporary_file;
mod tick;
mod wait;
mod world;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

pub(crate) use database::Database;
pub(crate) use fleet::{CLIENT_SECRET, Fleet, TOKEN_KEY};
pub(crate) use oracle::{Exceptions, array};
pub(crate) use process::{Ended, Process};
pub(crate) use proxy::Proxy;
pub(crate) use queues::{Queues, message};
pub(crate) use temporary_file::TemporaryFile;
pub(crate) use tick::Tick;
pub(crate) use wait::{eventually, free_port};
pub(crate) use world::World;

/// A test that takes this long waits for something that will not come.
const LONGEST_TEST: Duration = Duration::from_secs(120);
const LONGEST_CLEANING: Duration = Duration::from_secs(30);

/// What a panic carries.
type Failure = Box<dyn std::any::Any + Send>;

/// Runs a test on a fleet of its own. When it fails, everything that its processes said is shown.
pub(crate) fn fleet(world: World, test: impl AsyncFnOnce(&Fleet)) {
    binaries::require_all();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let queues = Queues::connect().await;
        let database = Database::create(world.is_migrated).await;
        let outputs = output::Outputs::default();
        let running = AssertUnwindSafe(async {
            let fleet = Fleet::start(&world, &database, &queues, &outputs).await;
            test(&fleet).await;
        });
        let ended = tokio::time::timeout(LONGEST_TEST, running.catch_unwind()).await;
        let failure: Option<Failure> = match ended {
            Ok(Ok(())) => None,
            Ok(Err(panic)) => Some(panic),
            Err(_) => Some(Box::new("the test waits for something that does not come")),
        };
        if failure.is_some() {
            outputs.show();
        }
        // By now every process that the test has started is dropped, and killed by that.
        let cleaned = async {
            queues.delete_all().await;
            database.drop().await;
        };
        let cleaned = tokio::time::timeout(LONGEST_CLEANING, cleaned).await;
        let cleaned = cleaned.map_err(|_| -> Failure { Box::new("queues and database cannot be removed") });
        failure.map_or(cleaned, Err)
    });
    // Whatever a library has left behind must not hold up the other tests.
    runtime.shutdown_background();
    if let Err(failure) = ended {
        std::panic::resume_unwind(failure);
    }
}
