//! Exit codes, signals and the form of the log, seen from outside on a real process (`examples/frame.rs`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

/// `cargo test` builds the examples beside the tests; a run of this file alone (`--test frame`) does not.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().with_file_name("examples").join("frame");
    assert!(program.exists(), "{} is missing: run `cargo build -p service --examples`", program.display());
    program
}

fn frame() -> Command {
    let mut command = Command::new(program());
    command.env_clear().stdin(Stdio::null());
    command
}

/// Exit code, stdout and stderr of a process that ends by itself.
fn ending(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let output = frame().args(arguments).envs(variables.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A process that works until it is stopped.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    fn start(ending: &str) -> Self {
        Self::spawn(frame().arg(ending))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut running = Self { child, stderr };
        running.wait_for("working");
        running
    }

    fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "it ended before it said {words:?}");
        }
    }

    fn send(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Exit code, and what it said since it was last waited for.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only a failed test leaves it running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn done_is_0_and_says_nothing() {
    assert_eq!(ending(&["done"], &[]), (0, String::new(), String::new()));
}

#[test]
fn a_failure_is_1_and_logs_its_chain_once() {
    let (code, stdout, stderr) = ending(&["fail"], &[]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("ERROR") && stderr.contains("frame failed: cannot reach PostgreSQL: connection refused"));
    let (code, _, stderr) = ending(&["fail"], &[("KILLFLEET_LOG", "off")]);
    assert_eq!((code, stderr.as_str()), (1, "frame failed: cannot reach PostgreSQL: connection refused\n"));
}

#[test]
fn a_mistake_of_configuration_is_2_and_one_plain_line() {
    let expected = [
        (&["misconfigured"][..], &[][..], "frame: the database has no tables: run `killfleet migrate`\n"),
        (
            &["key"],
            &[("KILLFLEET_TOKEN_KEY", "")],
            "frame: KILLFLEET_TOKEN_KEY is not set: give it as id:base64(32 bytes), \
             for example 2026:KEY with the KEY made by: openssl rand -base64 32\n",
        ),
        (
            &["done"],
            &[("KILLFLEET_LOG", "verbose")],
            "frame: KILLFLEET_LOG has \"verbose\", which is no level: \
             give error, warn, info, debug, trace or off, or finer ones such as info,worker=debug\n",
        ),
        (
            &["done"],
            &[("KILLFLEET_LOG_FORMAT", "yaml")],
            "frame: KILLFLEET_LOG_FORMAT cannot be \"yaml\": give text or json\n",
        ),
    ];
    for (arguments, variables, line) in expected {
        for format in ["text", "json"] {
            let variables = [&[("KILLFLEET_LOG_FORMAT", format)], variables].concat();
            assert_eq!(ending(arguments, &variables), (2, String::new(), line.to_owned()));
        }
    }
}

#[test]
fn a_wrong_command_line_is_2() {
    let (code, _, stderr) = ending(&["done", "--no-such-flag"], &[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("unexpected argument '--no-such-flag'"), "{stderr}");
}

#[test]
fn help_lists_every_setting_but_shows_no_secret() {
    let (code, stdout, _) = ending(&["--help"], &[("KILLFLEET_TOKEN_KEY", "hush")]);
    assert_eq!(code, 0);
    for name in ["KILLFLEET_TOKEN_KEY", "KILLFLEET_TOKEN_KEY_FILE", "KILLFLEET_LOG", "KILLFLEET_LOG_FORMAT"] {
        assert!(stdout.contains(&format!("[env: {name}")), "{name} in\n{stdout}");
    }
    assert!(!stdout.contains("hush"), "{stdout}");
}

#[test]
fn a_panic_is_1_and_a_line_of_the_log() {
    let (code, _, stderr) = ending(&["panic"], &[("KILLFLEET_LOG_FORMAT", "json")]);
    assert_eq!(code, 1);
    let line: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(line["panic.message"], "the body has a bug");
}

#[test]
fn a_json_line_has_its_fields_on_top_and_its_time_in_utc() {
    let (code, _, stderr) = ending(&["fail"], &[("KILLFLEET_LOG_FORMAT", "json")]);
    assert_eq!(code, 1);
    let line: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["message"], "frame failed: cannot reach PostgreSQL: connection refused");
    let time = line["timestamp"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.contains('T'), "{time}");
}

#[test]
fn the_first_signal_drains() {
    for signal in ["-TERM", "-INT"] {
        let running = Running::start("drain");
        running.send(signal);
        let (code, said) = running.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("drained"), "{said}");
    }
    let running = Running::start("late");
    running.send("-TERM");
    let (code, said) = running.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the grace time ran out"), "{said}");
}

/// Perl, because a shell cannot undo that a signal is ignored, and we may be run with one that is.
fn with_hang_up(disposition: &str) -> Running {
    let script = format!("$SIG{{HUP}} = '{disposition}'; exec {{ $ARGV[0] }} @ARGV or die");
    let mut perl = Command::new("perl");
    Running::spawn(perl.args(["-e", &script]).arg(program()).arg("drain").stdin(Stdio::null()))
}

#[test]
fn a_terminal_that_closes_drains_unless_the_process_is_to_outlive_it() {
    let running = with_hang_up("DEFAULT");
    running.send("-HUP");
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("SIGHUP") && said.contains("drained"), "{said}");

    let running = with_hang_up("IGNORE");
    running.send("-HUP");
    running.send("-TERM");
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("SIGTERM") && !said.contains("SIGHUP"), "{said}");
}

#[test]
fn the_second_signal_cuts() {
    let mut running = Running::start("stubborn");
    running.send("-TERM");
    running.wait_for("a second signal ends the process at once");
    running.send("-INT");
    let (code, said) = running.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("SIGINT while stopping: the process ends at once"), "{said}");
}
