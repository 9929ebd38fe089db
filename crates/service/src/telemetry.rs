//! The log: one line an event on stderr, as text for people or as JSON for programs.
//!
//! Stdout belongs to what a command prints. A JSON line holds the fields of the event at its top level, the fields of
//! the job's span under `span`, and its time as RFC 3339 in UTC.

use std::io::{self, IsTerminal, Write};
use std::panic;
use std::sync::OnceLock;

use anyhow::Context;
use tracing::Level;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, layer::SubscriberExt, registry};

use crate::settings::{LogFormat, LogSettings};

/// Whatever concerns the process as a whole is logged under this name, not under that of a module.
const TARGET: &str = "killfleet";

/// Installs the log for the whole process. [`run`](crate::run) does it; a second call is an error.
///
/// # Errors
/// The process has a log already.
pub fn init(settings: &LogSettings) -> anyhow::Result<()> {
    let registry = registry().with(settings.filter.clone());
    let layer = fmt::layer().with_writer(|| Stderr);
    match settings.format {
        // Colours are left to the layer's own default, which keeps to NO_COLOR, and never go into a file or a pipe.
        LogFormat::Text if io::stderr().is_terminal() => registry.with(layer).try_init(),
        LogFormat::Text => registry.with(layer.with_ansi(false)).try_init(),
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(true).with_span_list(false);
            registry.with(layer).try_init()
        }
    }
    .context("cannot install the log")?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

type Aside = Box<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

static ASIDE: OnceLock<Aside> = OnceLock::new();

/// For what is redrawn in place on the same terminal: from now on each line of the log is written within a call of
/// `aside`, which clears the place, calls what it is given, and draws again. The first call for a process counts.
pub fn step_aside(aside: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) {
    let _ = ASIDE.set(Box::new(aside));
}

/// Gets a line at a time.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut written = Ok(());
        let mut write = || written = io::stderr().write_all(line);
        match ASIDE.get() {
            Some(aside) => aside(&mut write),
            None => write(),
        }
        written.map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A panic in the log's own form, so that a reader of JSON lines meets nothing else.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("(no message)");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    if tracing::enabled!(target: TARGET, Level::ERROR) {
        tracing::error!(target: TARGET, { panic.message = message, panic.location = location }, "a part of the process panicked");
    } else {
        eprintln!("panicked at {location}: {message}");
    }
}

/// Logs why the process ends badly. That is said even if the filter lets no errors through.
pub(crate) fn last_words(line: &str) {
    if tracing::enabled!(target: TARGET, Level::ERROR) {
        tracing::error!(target: TARGET, "{line}");
    } else {
        eprintln!("{line}");
    }
}
