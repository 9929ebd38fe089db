//! A process of the fleet: started with the settings it is given and nothing else of our environment, killed when it
//! is dropped.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::binaries;
use super::output::{Output, Outputs, Stream};
use super::wait::{eventually, within};

/// A process ends within this, or the test says that it does not.
const EXIT_LIMIT: Duration = Duration::from_secs(120);

/// A command line that can still be changed.
pub(crate) struct Process<'fleet> {
    binary: &'static str,
    arguments: Vec<String>,
    settings: BTreeMap<String, String>,
    stdin: Option<String>,
    is_typed_to: bool,
    outputs: &'fleet Outputs,
}

impl<'fleet> Process<'fleet> {
    pub(crate) fn of(
        binary: &'static str,
        arguments: &[&str],
        settings: BTreeMap<String, String>,
        outputs: &'fleet Outputs,
    ) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { binary, arguments, settings, stdin: None, is_typed_to: false, outputs }
    }

    pub(crate) fn set(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.settings.insert(variable.to_owned(), value.into());
        self
    }

    pub(crate) fn unset(mut self, variable: &str) -> Self {
        self.settings.remove(variable);
        self
    }

    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// Its standard input stays open, for [`Running::type_line`].
    pub(crate) fn typed_to(mut self) -> Self {
        self.is_typed_to = true;
        self
    }

    pub(crate) fn start(self) -> Running {
        let output = self.outputs.begin(&format!("{} {}", self.binary, self.arguments.join(" ")));
        let mut child = Command::new(binaries::path(self.binary))
            .args(&self.arguments)
            .env_clear()
            .envs(&self.settings)
            .stdin(if self.stdin.is_some() || self.is_typed_to { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.binary));
        let mut stdin = child.stdin.take();
        if let (Some(text), Some(stdin)) = (self.stdin, &mut stdin) {
            // A process that does not want to read has ended, and says why.
            let _ = stdin.write_all(text.as_bytes());
        }
        let stdin = stdin.filter(|_| self.is_typed_to);
        let readers = vec![
            output.read(Stream::Stdout, child.stdout.take().expect("it is piped")),
            output.read(Stream::Stderr, child.stderr.take().expect("it is piped")),
        ];
        Running { name: self.binary, child, stdin, output, readers }
    }

    /// Starts it and waits for its end.
    pub(crate) async fn run(self) -> Ended {
        self.start().ended().await
    }
}

/// A process that runs beside the test.
pub(crate) struct Running {
    name: &'static str,
    child: Child,
    /// Of a process that is typed to.
    stdin: Option<ChildStdin>,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Waits until it has printed a line with this text.
    pub(crate) async fn says(&self, text: &str) {
        eventually(&format!("{} says {text:?}", self.name), async || self.output.says(text)).await;
    }

    /// The first line on stdout, once it is there.
    pub(crate) async fn first_line(&mut self) -> String {
        let (name, child, output, readers) = (self.name, &mut self.child, &self.output, &self.readers);
        eventually(&format!("{name} prints a line"), async || {
            let has_ended = child.try_wait().expect("it is our child").is_some();
            // What it has printed at its end may still be on its way to us.
            !output.of(Stream::Stdout).is_empty() || has_ended && readers.iter().all(JoinHandle::is_finished)
        })
        .await;
        let mut lines = self.stdout();
        assert!(!lines.is_empty(), "{name} has ended without a line: {:?}", self.output.of(Stream::Stderr).last());
        lines.swap_remove(0)
    }

    pub(crate) fn stdout(&self) -> Vec<String> {
        self.output.of(Stream::Stdout)
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it was started to be typed to");
        writeln!(stdin, "{line}").expect("it reads what is typed");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has held so far, as the kernel tells it.
    pub(crate) fn peak_megabytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs on Linux");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells it");
        let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes * 1024 / 1_000_000
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let command = format!("kill -{signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &command]).status().expect("there is a shell");
        assert!(sent.success(), "the signal {signal} cannot be sent");
    }

    /// Kills it as the kernel does when memory is short: it gets no chance to do anything more.
    pub(crate) async fn kill(self) {
        self.signal("KILL");
        assert_eq!(self.ended().await.code, None, "a killed process has no exit code");
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Ended {
        let mut status: Option<ExitStatus> = None;
        let child = &mut self.child;
        let ends = within(EXIT_LIMIT, async || {
            status = child.try_wait().expect("it is our child");
            status.is_some()
        });
        assert!(ends.await, "{} does not end", self.name);
        for reader in self.readers.drain(..) {
            reader.join().expect("reading does not panic");
        }
        Ended {
            code: status.and_then(|status| status.code()),
            stdout: self.output.of(Stream::Stdout),
            stderr: self.output.of(Stream::Stderr),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a process that has ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a process ended, and what it had printed.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Ended {
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "another exit code; the last lines: {:?}", self.stderr.last());
        self
    }

    #[track_caller]
    pub(crate) fn well(self) -> Self {
        self.with_code(0)
    }
}
