//! Settings that are missing or malformed: exit code 2, and one line that names the variable.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::harness::{
    CLIENT_SECRET, Fleet, On, Process, TOKEN_KEY, TemporaryFile, Tick, World, fleet, free_port, on_both,
};

on_both![every_secret_may_come_from_a_file];

/// A command of each binary that needs all the settings that the binary knows, and the fleet in one process.
const COMMANDS: [&str; 4] = ["killfleet", "killfleet-scheduler", "killfleet-worker", "killfleet standalone"];
/// Nobody can create it, whoever runs the tests.
const NO_FILE: &str = "sqlite:/dev/null/killfleet.db";

fn command<'fleet>(fleet: &'fleet Fleet<'_>, name: &str) -> Process<'fleet> {
    match name {
        "killfleet" => fleet.add(90_000_001, "no-token-of-anybody"),
        "killfleet-scheduler" => fleet.scheduler(&[]),
        "killfleet-worker" => fleet.worker(&["--drain"]),
        _ => fleet.standalone(&["--drain"]).set("KILLFLEET_DATABASE_URL", NO_FILE),
    }
}

/// (variable, malformed values, which of the commands read it); one that is required is also tried as missing.
fn table() -> Vec<(&'static str, Vec<&'static str>, &'static [usize], bool)> {
    vec![
        ("KILLFLEET_DATABASE_URL", vec!["", "127.0.0.1:5432", "mysql://127.0.0.1/x"], &[0, 1, 2], true),
        ("KILLFLEET_DATABASE_URL", vec![NO_FILE, "sqlite:", "sqlite:killfleet.db?mode=rwc"], &[0, 1, 2], false),
        ("KILLFLEET_DATABASE_URL", vec!["mysql://127.0.0.1/x", "postgres://127.0.0.1/x", "sqlite:"], &[3], false),
        ("KILLFLEET_AMQP_URL", vec!["", "127.0.0.1", "http://127.0.0.1:5672"], &[1, 2], true),
        ("KILLFLEET_QUEUE_PREFIX", vec!["a b", "amq.mine", "ä"], &[1, 2], false),
        ("KILLFLEET_CLIENT_ID", vec!["", "two words"], &[0, 2, 3], true),
        ("KILLFLEET_CLIENT_SECRET", vec![""], &[0, 2, 3], true),
        ("KILLFLEET_TOKEN_KEY", vec!["", "AAAA", "short:AAAA", "a:!"], &[0, 2, 3], true),
        ("KILLFLEET_CONTACT", vec!["", "nobody", "a@b)c"], &[0, 2, 3], true),
        ("KILLFLEET_ESI_URL", vec!["esi", "http://esi.evetech.net", "ftp://127.0.0.1"], &[0, 2, 3], false),
        ("KILLFLEET_DOWNTIME", vec!["11:00", "11:00-11:00", "11-12", "daily"], &[0, 2, 3], false),
        ("KILLFLEET_SSO_URL", vec!["sso", "http://login.eveonline.com"], &[0, 2, 3], false),
        ("KILLFLEET_SSO_TOKEN_URL", vec!["http://login.eveonline.com/token"], &[0, 2, 3], false),
        ("KILLFLEET_SSO_JWKS_URL", vec!["keys"], &[0, 2, 3], false),
        ("KILLFLEET_SSO_AUTHORIZE_URL", vec!["http://login.eveonline.com/authorize"], &[0, 2, 3], false),
        ("KILLFLEET_TIERS", vec!["5m,7d"], &[2, 3], false),
        ("KILLFLEET_SSO_VALIDATE_URL", vec!["http://login.eveonline.com/validate"], &[0, 2, 3], false),
        // The last one contradicts the secret that is set.
        ("KILLFLEET_SSO_CLIENT_AUTH", vec!["digest", "none"], &[0, 2, 3], false),
        ("KILLFLEET_TOKEN_BUFFER", vec!["5", "soon", "-5m", "1h"], &[1, 2, 3], false),
        ("KILLFLEET_SSO_CONCURRENCY", vec!["0", "21", "many"], &[0, 2, 3], false),
        ("KILLFLEET_LISTEN", vec!["9464", "localhost", "127.0.0.1:port"], &[1, 2, 3], false),
        ("KILLFLEET_TOKEN_API_SECRET", vec!["too-short", "with a space in it, and long enough"], &[2, 3], false),
        ("KILLFLEET_TOKEN_API_BEHIND_TLS", vec!["true", "1"], &[2, 3], false),
        ("KILLFLEET_LOG", vec!["verbose", "info,worker=loud"], &[0, 1, 2, 3], false),
        ("KILLFLEET_LOG_FORMAT", vec!["xml"], &[0, 1, 2, 3], false),
        ("KILLFLEET_DATABASE_URL_FILE", vec!["/nowhere/at/all"], &[0, 1, 2, 3], false),
        ("KILLFLEET_AMQP_URL_FILE", vec!["/nowhere/at/all"], &[1, 2], false),
        ("KILLFLEET_CLIENT_SECRET_FILE", vec!["/nowhere/at/all"], &[0, 2, 3], false),
        ("KILLFLEET_TOKEN_KEY_FILE", vec!["/nowhere/at/all"], &[0, 2, 3], false),
        ("KILLFLEET_TOKEN_API_SECRET_FILE", vec!["/nowhere/at/all"], &[2, 3], false),
    ]
}

#[test]
fn what_is_missing_or_malformed_is_named_in_one_line() {
    fleet(On::Services, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let before = fleet.database.contents().await;
        for (variable, malformed, readers, is_required) in table() {
            for name in readers.iter().map(|reader| COMMANDS[*reader]) {
                let plain = || command(fleet, name).unset("KILLFLEET_LOG_FORMAT");
                if is_required {
                    let ended = plain().unset(variable).run().await;
                    assert_named(&ended.with_code(2).stderr, name, variable, "missing");
                }
                for value in &malformed {
                    // A secret that is given twice would be refused for that.
                    let process = match variable.strip_suffix("_FILE") {
                        Some(secret) => plain().unset(secret),
                        None => plain(),
                    };
                    let ended = process.set(variable, *value).run().await;
                    assert_named(&ended.with_code(2).stderr, name, variable, value);
                }
            }
        }
        assert_eq!(fleet.database.contents().await, before, "nothing was written");
    });
}

fn assert_named(stderr: &[String], command: &str, variable: &str, value: &str) {
    assert_eq!(stderr.len(), 1, "{command} with {variable} {value:?}: {stderr:?}");
    let program = command.split(' ').next().expect("it has a name");
    assert!(stderr[0].starts_with(&format!("{program}: {variable} ")), "with {value:?}: {}", stderr[0]);
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    fleet(On::Services, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        for process in [
            fleet.killfleet(&["--frobnicate"]),
            fleet.killfleet(&["frobnicate"]),
            fleet.killfleet(&["character", "add", "--character-id", "many", "--name", "A"]),
            fleet.killfleet(&["character", "add", "--character-id", "-1", "--name", "A"]),
            fleet.killfleet(&["token", "somebody"]),
            fleet.killfleet(&["token", "0"]),
            fleet.scheduler(&["--frobnicate"]),
            fleet.scheduler(&["--every", "often"]),
            fleet.scheduler(&["--every", "10ms"]),
            fleet.scheduler(&["--character", "somebody"]),
            fleet.worker(&["--frobnicate"]),
            fleet.worker(&["--lanes", "list,dance"]),
            fleet.worker(&["--concurrency", "0"]),
            fleet.worker(&["--grace", "5"]),
            fleet.standalone(&["--frobnicate"]),
            fleet.standalone(&["--dry-run"]),
            fleet.standalone(&["--every", "often"]),
            fleet.standalone(&["--character", "somebody"]),
            fleet.standalone(&["--concurrency", "0"]),
            fleet.standalone(&["--grace", "5"]),
        ] {
            let ended = process.run().await.with_code(2);
            assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{ended:?}");
        }
        for (binary, arguments, setting) in [
            ("killfleet", ["--help"].as_slice(), "KILLFLEET_LOG"),
            ("killfleet", &["standalone", "--help"], "KILLFLEET_LISTEN"),
            ("killfleet-scheduler", &["--help"], "KILLFLEET_LOG"),
            ("killfleet-worker", &["--help"], "KILLFLEET_LOG"),
        ] {
            let help = Process::of(binary, arguments, BTreeMap::new(), fleet.outputs).run().await.well();
            assert!(help.stdout.iter().any(|line| line.contains(setting)), "{binary}: {:?}", help.stdout);
        }
    });
}

#[test]
fn a_server_that_does_not_answer_is_no_mistake_of_configuration() {
    fleet(On::Services, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let nowhere = format!("postgres://postgres:hush-hush@127.0.0.1:{}/killfleet", free_port());
        // At once, because each of them tries for ten seconds.
        let servers = COMMANDS[..3].iter().map(|name| command(fleet, name).set("KILLFLEET_DATABASE_URL", &*nowhere));
        let tries = servers.map(Process::run);
        for ended in join_all(tries).await {
            let ended = ended.with_code(1);
            let line = ended.stderr.last().expect("it says why");
            assert!(line.contains("connecting to the database failed") && !line.contains("hush-hush"), "{line}");
        }
        let nowhere = format!("http://127.0.0.1:{}", free_port());
        fleet.add(90_000_001, "a-token").set("KILLFLEET_SSO_URL", nowhere).run().await.with_code(1);
        assert_eq!(fleet.database.count("character").await, 0, "the token did not leave us, so nothing is kept");
    });
}

fn every_secret_may_come_from_a_file(on: On) {
    fleet(on, World::of(2, 6), async |fleet: &Fleet| {
        let mut secrets = vec![
            ("KILLFLEET_DATABASE_URL", TemporaryFile::with(&format!("{}\n", fleet.database.fleet_url()))),
            ("KILLFLEET_CLIENT_SECRET", TemporaryFile::with(CLIENT_SECRET)),
            ("KILLFLEET_TOKEN_KEY", TemporaryFile::with(&format!("{TOKEN_KEY}\r\n"))),
        ];
        if on == On::Services {
            secrets.push(("KILLFLEET_AMQP_URL", TemporaryFile::with(&format!("{}\n", fleet.queues().url()))));
        }
        let from_files = |process| {
            secrets.iter().fold(process, |process: Process, (variable, file)| {
                process.unset(variable).set(&format!("{variable}_FILE"), file.path())
            })
        };
        fleet.let_tokens_expire().await;
        let ended = from_files(fleet.one_tick(&[])).run().await.well();
        assert_eq!(Tick::parse(&ended.stdout[0]), Tick::only_refreshed(2));
        if on == On::Services {
            from_files(fleet.worker(&["--drain"])).run().await.well();
        }
        let pilot = fleet.simulator.pilots().await.remove(0);
        let token = fleet.simulator.login(pilot.character_id).await;
        from_files(fleet.add(pilot.character_id, &token)).run().await.well();
        fleet.is_true().await;
    });
}
