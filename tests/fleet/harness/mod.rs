//! What a fleet test stands on: a database, queues and a simulator of its own, and the built binaries.
//!
//! The rule: a test shares nothing with another one but the two servers, and leaves nothing behind, on panic either.
//! Where to start: [`fleet`] runs a test, on what [`On`] says; [`Fleet`] is what it gets, [`oracle`] is how it ends.
//! [`on_both!`] registers a test for both.

mod binaries;
mod database;
mod fleet;
mod listener;
mod logins;
mod oracle;
mod output;
mod process;
mod proxy;
mod queues;
mod simulator;
mod temporary_file;
mod tick;
mod tls;
mod wait;
mod world;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

pub(crate) use database::Database;
pub(crate) use fleet::{CLIENT_SECRET, Fleet, TOKEN_KEY};
pub(crate) use listener::Listener;
pub(crate) use oracle::{Exceptions, list};
pub(crate) use process::{Ended, Process, Running};
pub(crate) use proxy::Proxy;
pub(crate) use queues::{Queues, message};
pub(crate) use simulator::TrueKillmail;
pub(crate) use temporary_file::{TemporaryFile, TemporaryFolder};
pub(crate) use tick::Tick;
pub(crate) use tls::{Authority, Begins, TlsProxy};
pub(crate) use wait::{eventually, free_port};
pub(crate) use world::World;

const LONGEST_CLEANING: Duration = Duration::from_secs(30);

/// What a panic carries.
type Failure = Box<dyn std::any::Any + Send>;

/// What a fleet runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// Scheduler and workers on PostgreSQL and RabbitMQ.
    Services,
    /// One process, `killfleet standalone`, on one file.
    Standalone,
}

/// Registers functions `fn(On)` as tests, each on both: `NAME::services`, `NAME::standalone`. What needs the broker
/// itself, or several workers, is a plain `#[test]` with [`On::Services`].
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        $(mod $test {
            use $crate::harness::On;

            #[test]
            fn services() {
                super::$test(On::Services);
            }

            #[test]
            fn standalone() {
                super::$test(On::Standalone);
            }
        })+
    };
}
pub(crate) use on_both;

/// Runs a test on a fleet of its own. When it fails, everything that its processes said is shown.
pub(crate) fn fleet(on: On, world: World, test: impl AsyncFnOnce(&Fleet)) {
    binaries::require_all();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let queues = match on {
            On::Services => Some(Queues::connect().await),
            On::Standalone => None,
        };
        let database = Database::create(on, world.is_migrated).await;
        let outputs = output::Outputs::default();
        let running = AssertUnwindSafe(async {
            let fleet = Fleet::start(&world, &database, queues.as_ref(), &outputs).await;
            test(&fleet).await;
            fleet.standalone_has_ended().await;
        });
        let ended = tokio::time::timeout(world.takes_at_most, running.catch_unwind()).await;
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
            if let Some(queues) = &queues {
                queues.delete_all().await;
            }
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
