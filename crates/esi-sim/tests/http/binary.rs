//! The built binary: its first line, its signals, its exit codes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

const BINARY: &str = env!("CARGO_BIN_EXE_esi-sim");

/// A running binary that does not outlive its test.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    fn start(flags: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(flags).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("esi-sim listening on ").unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

#[tokio::test]
async fn a_signal_ends_it_within_a_second_even_while_it_holds_an_answer() {
    for signal in ["-TERM", "-INT"] {
        let mut running = Running::start(&["--characters", "2", "--killmails", "5"]);
        let client = super::client();
        let faults =
            client.put(format!("{}/sim/faults", running.url)).body(r#"[{"on":"status","do":{"kind":"hold"}}]"#);
        assert_eq!(faults.send().await.unwrap().status(), 204);
        let mut held = JoinSet::new();
        held.spawn(client.get(format!("{}/status", running.url)).send());
        loop {
            let counters = client.get(format!("{}/sim/counters", running.url)).send().await.unwrap();
            if counters.json::<serde_json::Value>().await.unwrap()["faults"]["hold"] == 1 {
                break;
            }
        }
        let begun = Instant::now();
        assert!(Command::new("kill").args([signal, &running.child.id().to_string()]).status().unwrap().success());
        assert_eq!(running.child.wait().unwrap().code(), Some(0), "{signal}");
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn characters_and_report_speak_to_a_running_one() {
    let running = Running::start(&["--characters", "3", "--killmails", "5", "--no-real-killmails"]);
    let output = run(&["characters", "--url", &running.url]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 3);
    for line in &lines {
        assert!(line[0].parse::<i64>().is_ok() && !line[1].is_empty());
        assert_eq!((line.len(), line[2].len()), (3, 24));
    }
    let report = String::from_utf8(run(&["report", "--url", &running.url]).stdout).unwrap();
    assert!(report.lines().any(|line| line.starts_with("budget_overdrawn ") && line.ends_with(" 0")));
    let report = run(&["report", "--url", &running.url, "--json"]).stdout;
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["requests"]["list"], 0);
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused_in_one_line() {
    let cases: [(&[&str], &str); 8] = [
        (&["serve", "--page-size", "0"], "--page-size"),
        (&["serve", "--characters", "many"], "--characters"),
        (&["serve", "--window-seconds", "0"], "--window-seconds"),
        (&["serve", "--issuer", "login.example.com"], "--issuer"),
        (&["serve", "--listen", "nowhere"], "--listen"),
        (&["serve", "--faults", "no-such-file.json"], "--faults"),
        (&["serve", "--pagesize", "5"], "--pagesize"),
        (&["report"], "--url"),
    ];
    for (arguments, flag) in cases {
        let output = run(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.contains(flag), "{message}");
    }
}

#[test]
fn a_port_in_use_is_a_failure_at_run_time() {
    let running = Running::start(&["--characters", "1", "--killmails", "0"]);
    let address = running.url.strip_prefix("http://").unwrap();
    let output = run(&["serve", "--listen", address, "--characters", "1", "--killmails", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains(address));
}
