//! What processes print: kept line by line, to be waited for, searched, and shown when a test fails.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// Of one process.
#[derive(Debug)]
pub(crate) struct Output {
    name: String,
    lines: Mutex<Vec<(Stream, String)>>,
}

impl Output {
    /// The lines of one stream so far.
    pub(crate) fn of(&self, stream: Stream) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|(from, _)| *from == stream).map(|(_, line)| line.clone()).collect()
    }

    /// Whether some line holds this text.
    pub(crate) fn says(&self, text: &str) -> bool {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().any(|(_, line)| line.contains(text))
    }

    /// Whether this text stands where it must not. One command is there to print a token on stdout.
    fn gives_away(&self, text: &str) -> bool {
        let is_for_it = |stream: Stream| stream == Stream::Stdout && self.name.starts_with("killfleet token ");
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().any(|(from, line)| line.contains(text) && !is_for_it(*from))
    }

    /// Reads a stream to its end, in a thread of its own.
    pub(crate) fn read(self: &Arc<Self>, stream: Stream, source: impl Read + Send + 'static) -> JoinHandle<()> {
        let output = Arc::clone(self);
        std::thread::spawn(move || {
            // Bytes, because a process that prints something else than UTF-8 should be shown, not cut off.
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                output.lines.lock().unwrap_or_else(PoisonError::into_inner).push((stream, line));
            }
        })
    }
}

/// Of all processes of a test.
#[derive(Debug, Default)]
pub(crate) struct Outputs(Mutex<Vec<Arc<Output>>>);

impl Outputs {
    pub(crate) fn begin(&self, name: &str) -> Arc<Output> {
        let output = Arc::new(Output { name: name.to_owned(), lines: Mutex::default() });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&output));
        output
    }

    /// Panics when any process has printed this text; `what` says what it is, for the message shall not repeat it.
    pub(crate) fn assert_silent_about(&self, text: &str, what: &str) {
        for output in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            assert!(!output.gives_away(text), "{what} was printed by {}", output.name);
        }
    }

    /// How many lines of all processes hold all of these texts.
    pub(crate) fn count(&self, texts: &[&str]) -> usize {
        let outputs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds_all = |line: &str| texts.iter().all(|text| line.contains(text));
        outputs
            .iter()
            .map(|output| {
                let lines = output.lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.iter().filter(|(_, line)| holds_all(line)).count()
            })
            .sum()
    }

    pub(crate) fn show(&self) {
        for (number, output) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().enumerate() {
            eprintln!("---- process {number}: {}", output.name);
            for (stream, line) in output.lines.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let mark = if *stream == Stream::Stdout { "out" } else { "err" };
                eprintln!("{mark}| {line}");
            }
        }
    }
}
