//! No secret ever: not in what is printed, however much that is, not in a message, not in a column in the clear, not in the
//! list of processes, not in a core dump.

use serde_json::Value;
use url::Url;

use crate::harness::{
    CLIENT_SECRET, Fleet, Listener, On, Process, Running, TOKEN_KEY, TemporaryFile, World, fleet, on_both,
};

on_both![
    a_happy_path_and_a_refused_refresh_with_everything_logged,
    nobody_sees_a_secret_in_the_list_of_processes_and_nothing_is_dumped,
    a_file_of_a_secret_that_others_can_read_is_told_of,
];

const OURS: &str =
    "info,broker=trace,domain=trace,esi=trace,killfleet=trace,scheduler=trace,service=trace,store=trace,worker=trace";
/// For servers that ask for no password: they take any.
const MADE_UP_PASSWORD: &str = "password-of-the-database";

fn a_happy_path_and_a_refused_refresh_with_everything_logged(on: On) {
    fleet(on, World::of(4, 15).nobody_signed_in(), async |fleet: &Fleet| {
        let mut database = fleet.database.fleet_url().to_owned();
        let mut passwords = Vec::new();
        if on == On::Services {
            let mut url = Url::parse(&database).unwrap();
            if url.password().is_none() {
                url.set_password(Some(MADE_UP_PASSWORD)).unwrap();
            }
            passwords.push(("the password of the database", url.password().expect("it was set").to_owned()));
            database = url.into();
            let broker = Url::parse(fleet.queues().url()).unwrap();
            let user_and_password = format!("{}:{}", broker.username(), broker.password().unwrap_or("none"));
            passwords.push(("the password of the broker", user_and_password));
        }
        let pilots = fleet.simulator.pilots().await;
        let tokens: Vec<String> = pilots.iter().filter_map(|pilot| pilot.refresh_token.clone()).collect();
        let [first, second] = [pilots[0].character_id, pilots[1].character_id];

        for format in ["text", "json"] {
            let loud = |process| loudly(process, format, &database);
            if format == "text" {
                for (pilot, token) in pilots.iter().zip(&tokens) {
                    loud(fleet.add(pilot.character_id, token)).run().await.well();
                }
            }
            let refused = if format == "text" { first } else { second };
            fleet.simulator.revoke(refused).await;
            fleet.let_tokens_expire().await;
            fleet.database.execute("update character set next_sync_at = now(), list_expires_at = null").await;
            let mut worked = loud(fleet.one_tick(&["--full"])).run().await.well();
            if on == On::Services {
                for queue in ["list", "refresh"] {
                    for body in fleet.queues().bodies(queue).await {
                        assert!(body.len() < 400 && !body.contains("eyJ"), "{body}");
                        assert!(!tokens.iter().any(|token| body.contains(token)), "a token in a message");
                    }
                }
                worked = loud(fleet.worker(&["--drain"])).run().await.well();
            }
            if format == "json" {
                for line in &worked.stderr {
                    let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                    assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
                }
            }
        }
        loudly(fleet.killfleet(&["status"]), "text", &database).run().await.well();

        for token in &tokens {
            fleet.outputs.assert_silent_about(token, "a refresh token");
        }
        fleet.outputs.assert_silent_about("eyJ", "an access token");
        for (what, password) in &passwords {
            fleet.outputs.assert_silent_about(password, what);
        }
        for (table, rows) in fleet.database.contents().await {
            for row in rows {
                assert!(!row.contains("eyJ"), "an access token in {table}");
                assert!(!row.contains(CLIENT_SECRET) && !row.contains(TOKEN_KEY), "a secret of ours in {table}");
                for token in &tokens {
                    assert!(!row.contains(token), "a refresh token in {table}");
                    let bytes: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
                    assert!(!row.contains(&bytes), "a refresh token in {table}, unsealed");
                }
            }
        }
    });
}

fn loudly<'fleet>(process: Process<'fleet>, format: &str, database: &str) -> Process<'fleet> {
    process.set("KILLFLEET_LOG", OURS).set("KILLFLEET_LOG_FORMAT", format).set("KILLFLEET_DATABASE_URL", database)
}

/// Processes of all programs that hold secrets, each up and running.
async fn running(fleet: &Fleet<'_>, on: On) -> Vec<Running> {
    let listeners = [Listener::somewhere(), Listener::somewhere()];
    let [first, second] = &listeners;
    let processes = match on {
        On::Standalone => vec![(fleet.standalone(&[]), first)],
        On::Services => vec![(fleet.scheduler(&["--every", "1h"]), first), (fleet.worker(&[]), second)],
    };
    let mut running = Vec::new();
    for (process, listener) in processes {
        running.push(process.set("KILLFLEET_LISTEN", &*listener.address).start());
        listener.comes_to("/healthz", 200, "alive").await;
    }
    running
}

fn nobody_sees_a_secret_in_the_list_of_processes_and_nothing_is_dumped(on: On) {
    fleet(on, World::of(1, 2), async |fleet: &Fleet| {
        for process in running(fleet, on).await {
            let of_process = |file: &str| format!("/proc/{}/{file}", process.id());
            let command_line = std::fs::read(of_process("cmdline")).unwrap();
            let command_line = String::from_utf8_lossy(&command_line);
            assert!(command_line.contains("killfleet"), "{command_line}");
            let mut secrets = vec![CLIENT_SECRET, TOKEN_KEY, fleet.database.fleet_url()];
            if on == On::Services {
                secrets.push(fleet.queues().url());
            }
            for secret in secrets {
                assert!(!command_line.contains(secret), "a secret of ours is in the list of processes");
            }
            let limits = std::fs::read_to_string(of_process("limits")).unwrap();
            let dumps = limits.lines().find(|line| line.starts_with("Max core file size")).expect("Linux names it");
            let numbers: Vec<&str> = dumps.split_whitespace().skip(4).take(2).collect();
            assert_eq!(numbers, ["0", "0"], "{dumps}");
            process.signal("TERM");
            process.ended().await.well();
        }
    });
}

fn a_file_of_a_secret_that_others_can_read_is_told_of(on: On) {
    fleet(on, World::of(1, 2), async |fleet: &Fleet| {
        const TOLD: &str = "the file of a secret is open to other users";
        for (mode, is_told_of) in [(0o600, false), (0o644, true)] {
            let file = TemporaryFile::with_mode(TOKEN_KEY, mode);
            let add = fleet.add(90_000_001, "a-token-that-is-refused").unset("KILLFLEET_TOKEN_KEY");
            let ended = add.set("KILLFLEET_TOKEN_KEY_FILE", file.path()).run().await.with_code(1);
            let lines: Vec<&String> = ended.stderr.iter().filter(|line| line.contains(TOLD)).collect();
            assert_eq!(lines.len(), usize::from(is_told_of), "mode {mode:o}: {lines:?}");
            for line in lines {
                for word in ["WARN", "KILLFLEET_TOKEN_KEY_FILE", file.path(), "0644", "chmod 600"] {
                    assert!(line.contains(word), "{word} is not in {line}");
                }
            }
        }
        fleet.outputs.assert_silent_about(TOKEN_KEY, "the key");
    });
}
