//! The frame of a process: log, runtime, signals around its body, and the exit code that comes of it.
//!
//! The rule: an error is reported once, here. A mistake of configuration is one plain line on stderr and exit code 2;
//! anything else is one logged line with its whole chain and exit code 1.

use std::error::Error;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use anyhow::Context;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::settings::{LogArgs, SettingError, one_line};
use crate::signals::{Signals, Stop};
use crate::{ConfigurationError, core_dumps, telemetry};

const CONFIGURATION_EXIT_CODE: u8 = 2;

/// What [`run`] has to know of a process.
#[derive(Debug, Clone)]
pub struct Process {
    /// The name of the binary; it stands at the beginning of the line that is printed for exit code 2.
    pub name: &'static str,
    /// As parsed: [`run`] resolves it, so that a mistake in it is reported like any other.
    pub log: LogArgs,
}

/// How a body that met no error has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything was finished, also after a signal: exit code 0.
    Done,
    /// The signal's grace time was over before the work in hand was finished: exit code 1.
    GraceRanOut,
}

/// Runs `body` to its end and turns what comes of it into an exit code.
///
/// The body gets the [`Stop`] that the first SIGTERM, SIGINT or SIGHUP triggers. It should resolve its settings before it logs
/// anything, so that a mistake in them is the only line on stderr.
pub fn run<F, Fut>(process: Process, body: F) -> ExitCode
where
    F: FnOnce(Stop) -> Fut,
    Fut: Future<Output = anyhow::Result<Exit>>,
{
    let name = process.name;
    // The frame holds nothing that a panic could leave half changed; the panic itself is logged by its hook.
    match panic::catch_unwind(AssertUnwindSafe(|| log_and_run(&process, body))) {
        Ok(Ok(Exit::Done)) => ExitCode::SUCCESS,
        Ok(Ok(Exit::GraceRanOut)) => {
            telemetry::last_words("the grace time ran out before the work in hand was finished: it is cut");
            ExitCode::FAILURE
        }
        Ok(Err(error)) => report(name, &error),
        Err(_panic) => ExitCode::FAILURE,
    }
}

fn log_and_run<F, Fut>(process: &Process, body: F) -> anyhow::Result<Exit>
where
    F: FnOnce(Stop) -> Fut,
    Fut: Future<Output = anyhow::Result<Exit>>,
{
    telemetry::init(&process.log.resolve()?)?;
    if let Err(error) = core_dumps::forbid() {
        tracing::warn!(%error, "core dumps cannot be forbidden: one of this process would hold its secrets");
    }
    let runtime = Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let result = runtime.block_on(async {
        let stop = Stop::default();
        let signals = Signals::install().context("cannot watch for signals")?;
        // A task of its own, so that a second signal works even while the body computes. It ends with this block.
        let mut watch = JoinSet::new();
        watch.spawn(signals.watch(stop.clone()));
        body(stop).await
    });
    // The body is over: whatever it left behind must not hold up the exit.
    runtime.shutdown_background();
    result
}

fn report(name: &str, error: &anyhow::Error) -> ExitCode {
    if let Some(line) = configuration_line(error) {
        eprintln!("{name}: {line}");
        return ExitCode::from(CONFIGURATION_EXIT_CODE);
    }
    telemetry::last_words(&format!("{name} failed: {}", one_line(format!("{error:#}"))));
    ExitCode::FAILURE
}

/// The line of the mistake of configuration that is somewhere in the chain, if there is one.
fn configuration_line(error: &anyhow::Error) -> Option<String> {
    let line_of = |cause: &(dyn Error + 'static)| {
        let setting = cause.downcast_ref::<SettingError>().map(ToString::to_string);
        setting.or_else(|| cause.downcast_ref::<ConfigurationError>().map(ToString::to_string))
    };
    // An error that was attached as context is found by anyhow's own downcast only.
    let attached = error.downcast_ref::<ConfigurationError>().map(ToString::to_string);
    error.chain().find_map(line_of).or(attached)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_mistake_of_configuration_is_found_anywhere_in_the_chain() {
        let setting = || SettingError::not_set("KILLFLEET_X", "give an x");
        let configuration = || ConfigurationError::new("run `killfleet migrate`");
        let cases = [
            (anyhow!(setting()), Some("KILLFLEET_X is not set: give an x")),
            (anyhow!(setting()).context("cannot start").context("outer"), Some("KILLFLEET_X is not set: give an x")),
            (anyhow!(configuration()), Some("run `killfleet migrate`")),
            (anyhow!(configuration()).context("cannot start"), Some("run `killfleet migrate`")),
            (anyhow!("no such table").context(configuration()), Some("run `killfleet migrate`")),
            (anyhow!("no such table").context("cannot start"), None),
        ];
        for (error, expected) in cases {
            assert_eq!(configuration_line(&error).as_deref(), expected, "{error:#}");
        }
    }
}
