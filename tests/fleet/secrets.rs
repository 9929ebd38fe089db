//! No secret ever: not in what is printed, however much that is, not in a message, not in a column in the clear.

use serde_json::Value;
use url::Url;

use crate::harness::{CLIENT_SECRET, Fleet, On, Process, TOKEN_KEY, World, fleet, on_both};

on_both![a_happy_path_and_a_refused_refresh_with_everything_logged,];

const OURS: &str =
    "info,broker=trace,domain=trace,esi=trace,killfleet=trace,scheduler=trace,service=trace,store=trace,worker=trace";
/// For servers that ask for no password: they take any.
const MADE_UP_PASSWORD: &str = "password-of-the-database";

fn a_happy_path_and_a_refused_refresh_with_everything_logged(on: On) {
    fleet(on, World::of(4, 15).nobody_signed_in(), async |fleet: &Fleet| {
        let mut database = fleet.database.url().to_owned();
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
