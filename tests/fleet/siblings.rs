//! Other services that need an access token: they ask the fleet, and never refresh a login of it.

use futures_util::future::join_all;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Fleet, Listener, On, Process, Running, TemporaryFile, World, fleet, on_both};

on_both![
    the_command_prints_one_good_token_and_nothing_else,
    the_command_says_why_there_is_none,
    many_who_ask_at_once_share_one_refresh,
    who_does_not_send_the_secret_learns_nothing,
    a_sibling_gets_a_login_that_holds_what_it_asks_for,
    every_refusal_says_why_and_when_to_ask_again,
    a_token_that_ends_soon_is_better_than_none,
    a_refresh_for_a_sibling_is_recorded_before_the_process_ends,
    tokens_do_not_go_over_the_network_in_the_clear,
];

const SECRET: &str = "a-secret-for-siblings-0123456789abcdef";
const LIST_SCOPE: &str = "esi-killmails.read_killmails.v1";
const OTHER_SCOPE: &str = "esi-assets.read_assets.v1";
/// A sibling that does not say who it is.
const UNNAMED: &str = "unnamed";

/// What works until it is told to stop; with lists that have been read, it has nothing to do.
fn process<'fleet>(fleet: &'fleet Fleet<'_>, on: On) -> Process<'fleet> {
    match on {
        On::Services => fleet.worker(&[]),
        On::Standalone => fleet.standalone(&["--every", "1h"]),
    }
}

/// A fleet that has done its work and offers tokens.
async fn offer(fleet: &Fleet<'_>, on: On, listener: &Listener) -> Running {
    fleet.tick(&[]).await;
    fleet.drain().await;
    fleet.simulator.reset_counters().await;
    let process = process(fleet, on).set("KILLFLEET_LISTEN", &*listener.address);
    let running = process.set("KILLFLEET_TOKEN_API_SECRET", SECRET).start();
    listener.comes_to("/readyz", 200, "ready").await;
    running
}

async fn stop(running: Running) {
    running.signal("TERM");
    running.ended().await.well();
}

struct Answered {
    status: u16,
    retry_after: Option<u64>,
    body: Value,
}

async fn ask(request: RequestBuilder) -> Answered {
    let response = request.send().await.unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    let (status, retry_after) = (response.status().as_u16(), header("retry-after"));
    assert_eq!(status == 401, header("www-authenticate").is_some());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answered { status, retry_after: retry_after.map(|seconds| seconds.parse().unwrap()), body }
}

async fn ask_for(listener: &Listener, character_id: i64, body: Value) -> Answered {
    ask(listener.token_request(character_id).bearer_auth(SECRET).body(body.to_string())).await
}

/// Whether ESI takes it for this character's list.
async fn is_good(fleet: &Fleet<'_>, character_id: i64, token: &str) -> bool {
    let url = format!("{}/characters/{character_id}/killmails/recent", fleet.simulator.url);
    let client = Client::builder().no_proxy().user_agent("a sibling").build().unwrap();
    client.get(url).bearer_auth(token).send().await.unwrap().status().is_success()
}

async fn first_pilot(fleet: &Fleet<'_>) -> i64 {
    fleet.simulator.pilots().await[0].character_id
}

/// Who was given tokens, and how many, as it is remembered.
async fn issued(fleet: &Fleet<'_>) -> Vec<(String, i64)> {
    let issued = "select detail, count(*) from token_event where event = 'issued' group by detail order by detail";
    fleet.database.rows(issued).await
}

fn token<'fleet>(fleet: &'fleet Fleet<'_>, character_id: i64, flags: &[&str]) -> Process<'fleet> {
    fleet.killfleet(&[&["token", &character_id.to_string()], flags].concat())
}

fn the_command_prints_one_good_token_and_nothing_else(on: On) {
    fleet(on, World::of(2, 6), async |fleet: &Fleet| {
        let character_id = first_pilot(fleet).await;
        // Also beside a process that works on the same file.
        let running = process(fleet, on).start();
        running.says("starts").await;
        let fresh = token(fleet, character_id, &[]).run().await.well();
        assert_eq!(fresh.stdout.len(), 1);
        assert!(is_good(fleet, character_id, &fresh.stdout[0]).await);
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 0, "there was a good one");

        fleet.let_tokens_expire().await;
        let renewed = token(fleet, character_id, &["--json", "--scope", LIST_SCOPE]).run().await.well();
        let renewed: Value = serde_json::from_str(&renewed.stdout.concat()).unwrap();
        let access_token = renewed["access_token"].as_str().unwrap();
        assert!(access_token != fresh.stdout[0] && is_good(fleet, character_id, access_token).await);
        assert_eq!((&renewed["character_id"], &renewed["scopes"]), (&json!(character_id), &json!([LIST_SCOPE])));
        let row = format!("select expires_at from token_stream where character_id = {character_id}");
        let expires_at: chrono::DateTime<chrono::Utc> = fleet.database.value(&row).await;
        assert_eq!(renewed["expires_at"], json!(expires_at));
        let again = token(fleet, character_id, &[]).run().await.well();
        assert_eq!(again.stdout, [access_token], "it was saved");
        assert_eq!(issued(fleet).await, [("killfleet token".to_owned(), 3)]);
        assert_eq!(fleet.simulator.counters().await.token_calls_by_character[&character_id], 1);
        stop(running).await;
    });
}

fn the_command_says_why_there_is_none(on: On) {
    fleet(on, World::of(2, 6), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let (first, second) = (pilots[0].character_id, pilots[1].character_id);
        fleet.simulator.revoke(second).await;
        fleet
            .database
            .execute(&format!("update token_stream set state = 'quarantined' where character_id = {first}"))
            .await;
        fleet.database.execute("update token_stream set expires_at = now() where state = 'active'").await;
        for (character_id, flags, words) in [
            (first, &[][..], "its pilot has to sign in again"),
            (second, &["--scope", OTHER_SCOPE], "holds the scopes that were asked for"),
            (second, &[], "has refused the logins of this character"),
            (90_000_001, &[], "no character 90000001 is known"),
        ] {
            let ended = token(fleet, character_id, flags).run().await.with_code(1);
            assert!(ended.stdout.is_empty(), "{:?}", ended.stdout);
            assert!(ended.stderr.last().unwrap().contains(words), "{words}: {:?}", ended.stderr.last());
        }
        fleet.database.execute(&format!("update token_stream set state = 'dead' where character_id = {first}")).await;
        token(fleet, first, &["--json"]).run().await.with_code(1);
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 1, "only what may be refreshed");
        assert_eq!(issued(fleet).await, []);
    });
}

fn many_who_ask_at_once_share_one_refresh(on: On) {
    fleet(on, World::of(2, 6).with("--rotation=always-kill-old"), async |fleet: &Fleet| {
        let listener = Listener::somewhere();
        fleet.database.execute("update token_event set at = now() - interval '91 days'").await;
        let running = offer(fleet, on, &listener).await;
        assert_eq!(fleet.database.count("token_event").await, 0, "a tick forgets what is older than 90 days");
        let character_id = first_pilot(fleet).await;
        fleet.let_tokens_expire().await;
        let body = json!({ "scopes": [LIST_SCOPE], "for": "board" });
        let answers = join_all((0..8).map(|_| ask_for(&listener, character_id, body.clone()))).await;
        let tokens: Vec<&str> = answers.iter().map(|answer| answer.body["access_token"].as_str().unwrap()).collect();
        assert!(answers.iter().all(|answer| answer.status == 200) && tokens.iter().all(|token| *token == tokens[0]));
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 1);
        assert_eq!(answers[0].body["character_id"], character_id);
        assert_eq!(issued(fleet).await, [("board".to_owned(), 8)]);
        running.says("an access token was issued").await;
        running.says("board").await;
        listener.comes_to("/metrics", 200, r#"killfleet_tokens_asked_for_total{status="200"} 8"#).await;
        stop(running).await;
        // Nothing that was printed holds a token, however much was logged.
        fleet.is_true().await;
    });
}

fn who_does_not_send_the_secret_learns_nothing(on: On) {
    fleet(on, World::of(1, 3), async |fleet: &Fleet| {
        let listener = Listener::somewhere();
        let running = offer(fleet, on, &listener).await;
        let character_id = first_pilot(fleet).await;
        let expected =
            json!({ "error": "unauthorized", "reason": "send the secret, as `Authorization: Bearer SECRET`" });
        for character_id in [character_id, 90_000_001, 0] {
            let request = || listener.token_request(character_id);
            for request in [
                request(),
                request().bearer_auth(""),
                request().bearer_auth(&SECRET[1..]),
                request().bearer_auth(format!("{SECRET}x")),
                request().bearer_auth(SECRET.to_uppercase()),
                request().basic_auth("killfleet", Some(SECRET)),
                request().header("Authorization", SECRET),
                request().body(json!({ "secret": SECRET }).to_string()),
                request().body("x".repeat(100_000)),
            ] {
                let answer = ask(request).await;
                assert_eq!((answer.status, &answer.body), (401, &expected));
            }
        }
        assert_eq!(issued(fleet).await, []);
        let known = listener.token_request(character_id).header("Authorization", format!("bearer {SECRET}"));
        assert_eq!(ask(known).await.status, 200, "the name of the scheme may be written in small letters");
        let url = format!("http://{}/v1/token/{character_id}", listener.address);
        let client = Client::builder().no_proxy().build().unwrap();
        assert_eq!(ask(client.request(Method::GET, &url)).await.status, 401);
        assert_eq!(ask(client.request(Method::GET, &url).bearer_auth(SECRET)).await.status, 405);
        let long = listener.token_request(character_id).bearer_auth(SECRET).body(" ".repeat(100_000));
        let long = ask(long).await;
        assert_eq!((long.status, &long.body["error"]), (413, &json!("malformed")));
        let malformed = ask_for(&listener, character_id, json!({ "scope": LIST_SCOPE })).await;
        assert_eq!((malformed.status, &malformed.body["error"]), (400, &json!("malformed")));
        stop(running).await;

        // Without the setting there is no such route; the secret may come from a file.
        let file = TemporaryFile::with(&format!("{SECRET}\n"));
        for (variable, value, status) in
            [("KILLFLEET_TOKEN_API_SECRET", "", 404), ("KILLFLEET_TOKEN_API_SECRET_FILE", file.path(), 200)]
        {
            let running = process(fleet, on).set("KILLFLEET_LISTEN", &*listener.address).set(variable, value).start();
            listener.comes_to("/readyz", 200, "ready").await;
            let answer = listener.token_request(character_id).bearer_auth(SECRET).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status);
            stop(running).await;
        }
        assert_eq!(issued(fleet).await, [(UNNAMED.to_owned(), 2)], "those that were answered with 200");
        fleet.outputs.assert_silent_about(SECRET, "the secret of the siblings");
        fleet.is_true().await;
    });
}

fn a_sibling_gets_a_login_that_holds_what_it_asks_for(on: On) {
    fleet(on, World::of(1, 3), async |fleet: &Fleet| {
        let character_id = first_pilot(fleet).await;
        let other = fleet.simulator.login_for(character_id, &[OTHER_SCOPE, LIST_SCOPE]).await;
        fleet.add(character_id, &other).run().await.well();
        let listener = Listener::somewhere();
        let running = offer(fleet, on, &listener).await;
        let streams = "select token_stream_id from token_stream order by 1";
        let [(plain,), (rich,)] = fleet.database.rows::<(i64,)>(streams).await[..] else { panic!("two logins") };
        // The one that holds less looks the healthier.
        let until = "update token_stream set expires_at = now() + interval '30 minutes' where token_stream_id";
        fleet.database.execute(&format!("{until} = {plain}")).await;
        let given = async |scopes: &[&str]| ask_for(&listener, character_id, json!({ "scopes": scopes })).await;
        let [any, list, with_other] = [given(&[]).await, given(&[LIST_SCOPE]).await, given(&[OTHER_SCOPE]).await];
        assert_eq!((any.status, list.status, with_other.status), (200, 200, 200));
        assert!(any.body["access_token"] == list.body["access_token"], "the healthier one");
        assert!(list.body["access_token"] != with_other.body["access_token"], "another login");
        assert_eq!((&list.body["scopes"], &with_other.body["scopes"]), (&json!([LIST_SCOPE]), &json!([OTHER_SCOPE])));
        let neither = given(&[LIST_SCOPE, "esi-mail.read_mail.v1"]).await;
        assert_eq!((neither.status, &neither.body["error"]), (403, &json!("scope_missing")));
        assert_eq!(neither.body["access_token"], Value::Null);
        assert_eq!(issued(fleet).await, [(UNNAMED.to_owned(), 3)]);

        // That very login has to be refreshed for it, and the other one is left alone.
        fleet.let_tokens_expire().await;
        assert_eq!(given(&[OTHER_SCOPE]).await.status, 200);
        let renewed = "select token_stream_id from token_stream where expires_at > now()";
        assert_eq!(fleet.database.rows::<(i64,)>(renewed).await, [(rich,)]);
        stop(running).await;
        fleet.is_true().await;
    });
}

fn every_refusal_says_why_and_when_to_ask_again(on: On) {
    fleet(on, World::of(4, 8), async |fleet: &Fleet| {
        let listener = Listener::somewhere();
        let running = offer(fleet, on, &listener).await;
        let ids: Vec<i64> = fleet.simulator.pilots().await.iter().map(|pilot| pilot.character_id).collect();
        let [dead, refused, in_trouble, without] = ids[..] else { panic!("four pilots") };
        let any = async |character_id| ask_for(&listener, character_id, json!({})).await;
        fleet.let_tokens_expire().await;
        let set = async |what: &str, character_id: i64| {
            fleet
                .database
                .execute(&format!("update token_stream set {what} where character_id = {character_id}"))
                .await;
        };
        set("state = 'dead'", dead).await;
        set("access_token_sealed = null, refresh_token_sealed = null", without).await;
        fleet.simulator.revoke(refused).await;

        let answer = any(90_000_001).await;
        assert_eq!((answer.status, &answer.body["error"]), (404, &json!("unknown_character")));
        for (character_id, word) in [(dead, "needs_login"), (without, "both_tokens_missing")] {
            let answer = any(character_id).await;
            assert_eq!((answer.status, answer.retry_after), (409, Some(3600)));
            assert_eq!(answer.body["error"], word);
            assert!(answer.body["reason"].as_str().unwrap().contains("its pilot has to sign in"), "{}", answer.body);
        }
        for _ in 0..2 {
            let answer = any(refused).await;
            assert_eq!((answer.status, &answer.body["error"]), (409, &json!("waiting_for_probe")));
            let retry_after = answer.retry_after.unwrap();
            assert!((880..=900).contains(&retry_after), "when it is probed again: {retry_after}");
        }
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 1, "it is not asked for again before");

        let outage = json!({ "kind": "answer", "status": 503, "body": "<html>maintenance</html>" });
        fleet.simulator.fault(json!([{ "on": "token", "do": outage }])).await;
        for _ in 0..5 {
            let answer = any(in_trouble).await;
            assert_eq!((answer.status, &answer.body["error"]), (503, &json!("not_now")));
            assert!((1..=30).contains(&answer.retry_after.unwrap()), "{:?}", answer.retry_after);
        }
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 2, "EVE SSO is not asked again each time");
        assert_eq!(issued(fleet).await, [], "after 404, 409 and 503");
        fleet.simulator.heal().await;
        stop(running).await;
        // What the test has brought about, and the one refusal that was real.
        fleet.database.execute("update token_stream set state = 'active', strikes = 0").await;
        fleet.is_true().await;
    });
}

fn a_token_that_ends_soon_is_better_than_none(on: On) {
    fleet(on, World::of(1, 3), async |fleet: &Fleet| {
        let listener = Listener::somewhere();
        let running = offer(fleet, on, &listener).await;
        let character_id = first_pilot(fleet).await;
        let outage = json!({ "kind": "answer", "status": 503, "body": "<html>maintenance</html>" });
        fleet.simulator.fault(json!([{ "on": "token", "do": outage }])).await;
        let row = "select refresh_token_version, expires_at from token_stream";
        for (left, status) in [("2 minutes", 200), ("20 seconds", 503)] {
            let set = format!("update token_stream set expires_at = now() + interval '{left}'");
            fleet.database.execute(&set).await;
            let before: Vec<(i64, chrono::DateTime<chrono::Utc>)> = fleet.database.rows(row).await;
            let answer = ask_for(&listener, character_id, json!({})).await;
            assert_eq!(answer.status, status, "{left} left: {}", answer.body["reason"]);
            if status == 200 {
                assert_eq!(answer.body["expires_at"], json!(before[0].1), "it says how long it is good");
            }
        }
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 2, "a better one was looked for first");
        assert_eq!(issued(fleet).await, [(UNNAMED.to_owned(), 1)]);
        fleet.simulator.heal().await;
        stop(running).await;
        fleet.is_true().await;
    });
}

fn a_refresh_for_a_sibling_is_recorded_before_the_process_ends(on: On) {
    fleet(on, World::of(1, 3).with("--rotation=always-kill-old"), async |fleet: &Fleet| {
        let listener = Listener::somewhere();
        let running = offer(fleet, on, &listener).await;
        let character_id = first_pilot(fleet).await;
        fleet.let_tokens_expire().await;
        fleet.simulator.fault(json!([{ "on": "token", "do": { "kind": "hold" } }])).await;
        let asking = listener.token_request(character_id).bearer_auth(SECRET).send();
        let stopping = async {
            fleet.simulator.has_bitten("hold").await;
            running.signal("TERM");
            running.says("stopping").await;
            listener.comes_to("/readyz", 503, "stopping").await;
            fleet.simulator.heal().await;
            running.ended().await.well();
        };
        // Whether the answer still comes through is not promised.
        let (_answer, ()) = tokio::join!(asking, stopping);
        let saved = "token_stream where refresh_token_version = 2 and lease_until is null and expires_at > now()";
        assert_eq!(fleet.database.count(saved).await, 1, "the provider has forgotten the old one");
        fleet.is_true().await;
    });
}

fn tokens_do_not_go_over_the_network_in_the_clear(on: On) {
    fleet(on, World::of(1, 1), async |fleet: &Fleet| {
        let listener = Listener::somewhere();
        let everywhere = listener.address.replace("127.0.0.1", "0.0.0.0");
        let process = || {
            let process = process(fleet, on).unset("KILLFLEET_LOG_FORMAT").set("KILLFLEET_LISTEN", &*everywhere);
            process.set("KILLFLEET_TOKEN_API_SECRET", SECRET)
        };
        let refused = process().run().await.with_code(2);
        let line = format!("KILLFLEET_LISTEN is {everywhere}, where tokens would go over the network in the clear: ");
        assert!(refused.stderr.len() == 1 && refused.stderr[0].contains(&line), "{:?}", refused.stderr);
        assert!(refused.stderr[0].contains("KILLFLEET_TOKEN_API_BEHIND_TLS=yes"), "{:?}", refused.stderr);

        let running = process().set("KILLFLEET_TOKEN_API_BEHIND_TLS", "yes").start();
        listener.comes_to("/readyz", 200, "ready").await;
        let character_id = first_pilot(fleet).await;
        assert_eq!(ask_for(&listener, character_id, json!({})).await.status, 200);
        stop(running).await;
    });
}
