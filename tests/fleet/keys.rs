//! The keys that tokens are sealed with: changed under a running fleet, and what happens to a token that does not open.

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, On, Process, Running, TOKEN_KEY, World, eventually, fleet, on_both};

on_both![
    a_key_is_changed_under_a_running_fleet_and_the_old_one_can_go,
    a_signal_stops_it_between_two_rows_and_the_same_command_goes_on,
    a_token_that_does_not_open_is_told_and_the_others_go_on,
    another_login_serves_in_place_of_one_that_does_not_open,
    with_a_wrong_key_nothing_is_lost_and_the_right_one_finds_everything,
];

#[test]
fn killed_between_two_rows_and_the_same_command_goes_on() {
    fleet(On::Services, World::of(4, 12), async |fleet: &Fleet| {
        let third = "update token_stream set strikes = 0 where token_stream_id = 3";
        let held = fleet.database.hold(third).await;
        let running = rotate(fleet, &[]).start();
        let half = json!({ OLD: [2, 2], "new": [2, 2] });
        eventually("two rows are sealed anew", async || key_status(fleet).await == half).await;
        running.kill().await;
        held.let_go().await;
        assert_eq!(key_status(fleet).await, half);

        let rotated = parse(&rotate(fleet, &["--json"]).run().await.well().stdout);
        assert_eq!((&rotated["resealed"], &rotated["sealed_already"]), (&json!(4), &json!(4)), "{rotated}");
        assert_eq!(rotated["unused_keys"], json!([OLD]), "{rotated}");
        fleet.let_tokens_expire().await;
        with_the_new_key(fleet.one_tick(&[])).run().await.well();
        with_the_new_key(fleet.worker(&["--drain"])).run().await.well();
        fleet.is_true().await;
    });
}

/// 32 bytes of 1, in base64.
const NEW_KEY: &str = "new:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
/// The id of [`TOKEN_KEY`].
const OLD: &str = "fleet";

fn keys(first: &str, second: &str) -> String {
    format!("{first},{second}")
}

fn rotate<'fleet>(fleet: &'fleet Fleet<'_>, flags: &[&str]) -> Process<'fleet> {
    let rotate = fleet.killfleet(&[&["key", "rotate"], flags].concat());
    rotate.set("KILLFLEET_TOKEN_KEY", keys(NEW_KEY, TOKEN_KEY))
}

fn with_the_new_key(process: Process<'_>) -> Process<'_> {
    process.set("KILLFLEET_TOKEN_KEY", NEW_KEY)
}

fn parse(stdout: &[String]) -> Value {
    serde_json::from_str(&stdout.concat()).expect("it prints JSON")
}

/// For each key the numbers of its access tokens and refresh tokens.
async fn key_status(fleet: &Fleet<'_>) -> Value {
    // It opens nothing, so it needs no key.
    let status = fleet.killfleet(&["key", "status", "--json"]).unset("KILLFLEET_TOKEN_KEY").run().await.well();
    let keys = parse(&status.stdout);
    let row = |key: &Value| {
        (key["key_id"].as_str().unwrap().to_owned(), json!([key["access_tokens"], key["refresh_tokens"]]))
    };
    keys.as_array().unwrap().iter().map(row).collect()
}

/// What works until it is told to stop.
fn start(fleet: &Fleet<'_>, on: On, keys: &str) -> Running {
    let process = match on {
        On::Services => fleet.worker(&[]),
        On::Standalone => fleet.standalone(&["--every", "1s"]),
    };
    process.set("KILLFLEET_TOKEN_KEY", keys).start()
}

/// Every login is refreshed by whoever runs: with a provider that gives another refresh token each time, both are new.
async fn everybody_is_refreshed(fleet: &Fleet<'_>, on: On, times: i64) {
    fleet.database.execute("update character set next_sync_at = now(), list_expires_at = null").await;
    fleet.let_tokens_expire().await;
    if on == On::Services {
        fleet.tick(&[]).await;
    }
    let behind = format!("token_stream where refresh_token_version < {times} or lease_until is not null");
    eventually("everybody is refreshed", async || fleet.database.count(&behind).await == 0).await;
}

fn a_key_is_changed_under_a_running_fleet_and_the_old_one_can_go(on: On) {
    let world = World::of(4, 15).with("--rotation=always-kill-old").with("--list-ttl-seconds=1");
    fleet(on, world, async |fleet: &Fleet| {
        assert_eq!(key_status(fleet).await, json!({ OLD: [4, 4] }));
        // The new key behind the old one, so that everybody can open what will be sealed with it.
        let running = start(fleet, on, &keys(TOKEN_KEY, NEW_KEY));
        everybody_is_refreshed(fleet, on, 2).await;
        let rotated = rotate(fleet, &[]).run().await.well();
        let told = rotated.stdout.join("\n");
        assert!(told.contains("tokens sealed anew with `new`: 8"), "{told}");
        assert!(told.contains(&format!("no token is sealed with `{OLD}` any more: it may be removed")), "{told}");
        assert!(rotated.stderr.iter().any(|line| line.contains("key rotate: 4 of 4 token streams")));
        assert_eq!(key_status(fleet).await, json!({ "new": [4, 4] }));
        // As it was said: a process that has the old one in front seals with it again.
        everybody_is_refreshed(fleet, on, 3).await;
        assert_eq!(key_status(fleet).await, json!({ OLD: [4, 4] }));
        running.signal("TERM");
        running.ended().await.well();

        let running = start(fleet, on, &keys(NEW_KEY, TOKEN_KEY));
        let rotated = parse(&rotate(fleet, &["--json"]).run().await.well().stdout);
        assert_eq!(rotated["unused_keys"], json!([OLD]), "{rotated}");
        assert_eq!(rotated["unopenable"], json!([]), "{rotated}");
        everybody_is_refreshed(fleet, on, 4).await;
        assert_eq!(key_status(fleet).await, json!({ "new": [4, 4] }));
        running.signal("TERM");
        running.ended().await.well();

        let running = start(fleet, on, NEW_KEY);
        everybody_is_refreshed(fleet, on, 5).await;
        let wanted = "killmail_ref where state = 'wanted' or hinted_at is not null";
        eventually("all is stored", async || fleet.database.count(wanted).await == 0).await;
        let at_work = "character where hinted_at is not null or lease_until is not null";
        eventually("nothing is in hand", async || fleet.database.count(at_work).await == 0).await;
        running.signal("TERM");
        running.ended().await.well();
        assert_eq!(fleet.simulator.counters().await.answers_with(400), 0, "no token was lost on the way");
        // The lists were asked for before their Expires, since the test has made them due.
        fleet.is_true_but(Exceptions { repeated_pages: 1000, ..Exceptions::default() }).await;
    });
}

fn a_signal_stops_it_between_two_rows_and_the_same_command_goes_on(on: On) {
    for signal in ["INT", "TERM"] {
        fleet(on, World::of(4, 12), async |fleet: &Fleet| {
            let first = "update token_stream set strikes = 0
                         where token_stream_id = (select min(token_stream_id) from token_stream)";
            let held = fleet.database.hold(first).await;
            let running = rotate(fleet, &[]).start();
            // Who opens a file has to wait for who writes into it, so there it has not come as far as to the first row.
            let (progress, so_far) = match on {
                On::Services => ("key rotate: 0 of 4", json!({ OLD: [3, 3], "new": [1, 1] })),
                On::Standalone => ("opening the database", json!({ OLD: [4, 4] })),
            };
            running.says(progress).await;
            running.signal(signal);
            running.says("stopping").await;
            held.let_go().await;
            let ended = running.ended().await.with_code(1);
            assert!(ended.stderr.last().unwrap().contains("the same command goes on from there"), "{:?}", ended.stderr);
            assert_eq!(key_status(fleet).await, so_far);

            let rotated = parse(&rotate(fleet, &["--json"]).run().await.well().stdout);
            let resealed_before = u64::from(on == On::Services) * 2;
            assert_eq!(rotated["resealed"], 8 - resealed_before, "{rotated}");
            assert_eq!(rotated["sealed_already"], resealed_before, "{rotated}");
            fleet.let_tokens_expire().await;
            with_the_new_key(fleet.one_tick(&[])).run().await.well();
            if on == On::Services {
                with_the_new_key(fleet.worker(&["--drain"])).run().await.well();
            }
            fleet.is_true().await;
        });
    }
}

fn a_token_that_does_not_open_is_told_and_the_others_go_on(on: On) {
    fleet(on, World::of(4, 12), async |fleet: &Fleet| {
        let streams: Vec<(i64, i64)> =
            fleet.database.rows("select token_stream_id, character_id from token_stream order by 1").await;
        let [(broken, character_id), (other, _), ..] = streams[..] else { panic!("four") };
        // As if a careless hand had copied a column from row to row.
        let of_the_other = format!("(select refresh_token_sealed from token_stream where token_stream_id = {other})");
        let copy =
            format!("update token_stream set refresh_token_sealed = {of_the_other} where token_stream_id = {broken}");
        fleet.database.execute(&copy).await;
        let sealed = format!("select refresh_token_sealed from token_stream where token_stream_id = {broken}");
        let before: Vec<u8> = fleet.database.value(&sealed).await;

        fleet.let_tokens_expire().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let remembered: Vec<(i64, String, i32)> = fleet
            .database
            .rows("select token_stream_id, last_error, strikes from token_stream where last_error_code = 'unopenable'")
            .await;
        let [(stream, reason, strikes)] = &remembered[..] else { panic!("one row says it: {remembered:?}") };
        assert_eq!((*stream, *strikes), (broken, 0));
        assert!(reason.contains("does not open with the key \"fleet\""), "{reason}");

        let ended = rotate(fleet, &[]).run().await.with_code(1);
        let told = ended.stdout.join("\n");
        let line = format!("token stream {broken} of character {character_id}, refresh_token_sealed: ");
        assert!(told.contains(&line) && told.contains("tokens sealed anew with `new`: 7"), "{told}");
        assert!(!told.contains("may be removed"), "{told}");
        let rotated = parse(&rotate(fleet, &["--json"]).run().await.with_code(1).stdout);
        assert_eq!(rotated["unopenable"][0]["token_stream_id"], broken, "{rotated}");
        assert_eq!((&rotated["unopenable"][0]["key_id"], &rotated["sealed_already"]), (&json!(OLD), &json!(7)));
        assert_eq!(fleet.database.value::<Vec<u8>>(&sealed).await, before, "it is left as it is");
        fleet.is_true_but(Exceptions { unserved: vec![character_id], ..Exceptions::default() }).await;
    });
}

fn another_login_serves_in_place_of_one_that_does_not_open(on: On) {
    fleet(on, World::of(2, 8), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        let another = fleet.simulator.login(character_id).await;
        fleet.add(character_id, &another).run().await.well();
        let first = format!("select min(token_stream_id) from token_stream where character_id = {character_id}");
        let first: i64 = fleet.database.value(&first).await;
        // As if a careless hand had copied it from column to column. It looks the healthier of the two.
        let copy = "access_token_sealed = refresh_token_sealed, expires_at = now() + interval '30 minutes'";
        fleet.database.execute(&format!("update token_stream set {copy} where token_stream_id = {first}")).await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        let told = "select token_stream_id from token_stream where last_error_code = 'unopenable'";
        assert_eq!(fleet.database.rows::<(i64,)>(told).await, [(first,)]);
        fleet.is_true().await;
    });
}

fn with_a_wrong_key_nothing_is_lost_and_the_right_one_finds_everything(on: On) {
    fleet(on, World::of(3, 12), async |fleet: &Fleet| {
        let stored = "select access_token_sealed, refresh_token_sealed, state, strikes
                      from token_stream order by token_stream_id";
        let before: Vec<(Vec<u8>, Vec<u8>, String, i32)> = fleet.database.rows(stored).await;
        for is_expired in [false, true] {
            if is_expired {
                fleet.let_tokens_expire().await;
                fleet.make_due().await;
            }
            with_the_new_key(fleet.one_tick(&[])).run().await.well();
            if on == On::Services {
                with_the_new_key(fleet.worker(&["--drain"])).run().await.well();
            }
            assert_eq!(fleet.database.count("token_stream where last_error_code = 'unopenable'").await, 3);
        }
        rotate(fleet, &[]).set("KILLFLEET_TOKEN_KEY", NEW_KEY).run().await.with_code(1);
        assert_eq!(fleet.database.rows::<(Vec<u8>, Vec<u8>, String, i32)>(stored).await, before);
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 0, "nobody was asked with no token");

        fleet.make_due().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}
