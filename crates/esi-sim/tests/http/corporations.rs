//! Corporations over HTTP: who is where, and their lists.

use esi_sim::model::Settings;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Sim;

const SCOPE: &str = "esi-killmails.read_corporation_killmails.v1";

fn affiliation(sim: &Sim, character_ids: &[i64]) -> RequestBuilder {
    sim.client.post(format!("{}/characters/affiliation", sim.url)).json(character_ids)
}

#[tokio::test]
async fn a_director_is_found_and_reads_the_list_that_the_truth_tells() {
    let sim = Sim::start(Settings::default()).await;
    let characters = sim.json("/sim/characters").await;
    let (director, corporation_id) = (&characters[0]["character_id"], &characters[0]["corporation_id"]);
    assert_eq!((&characters[0]["is_director"], &characters[1]["is_director"]), (&json!(true), &json!(false)));

    let answer = affiliation(&sim, &[director.as_i64().unwrap()]).send().await.unwrap();
    assert_eq!(answer.headers()["x-esi-error-limit-remain"], "100");
    let affiliations: Value = answer.json().await.unwrap();
    assert_eq!(affiliations, json!([{ "character_id": director, "corporation_id": corporation_id }]));

    let path = format!("/sim/characters/{director}/login");
    let login: Value = sim.post(&path, &json!({ "scopes": [SCOPE] }).to_string()).await.json().await.unwrap();
    let token = sim.access_token(login["refresh_token"].as_str().unwrap()).await;
    let path = format!("/corporations/{corporation_id}/killmails/recent");
    let answer = sim.get(&path).bearer_auth(&token).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-pages"]), (200, &"1".parse().unwrap()));
    let list: Vec<Value> = answer.json().await.unwrap();
    let seen: Vec<&Value> = list.iter().rev().map(|reference| &reference["killmail_id"]).collect();
    let truth = sim.json("/sim/truth").await;
    assert_eq!(truth["corporation_lists"][0]["corporation_id"], *corporation_id);
    assert_eq!(truth["corporation_lists"][0]["killmail_ids"], json!(seen));
    assert_eq!(seen.len(), 66, "all of the world, since all are in one corporation");

    let counters = sim.json("/sim/counters").await;
    assert_eq!(
        (&counters["requests"]["affiliation"], &counters["requests"]["corporation_list"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(counters["corporation_list_calls_by_corporation"][corporation_id.to_string()], 1);
    assert_eq!(counters["tokens_spent"], json!({ "corp-killmail": 2 }));
}

#[tokio::test]
async fn a_character_moves_and_its_role_stays_behind() {
    let sim = Sim::start(Settings::default()).await;
    let (character_id, _) = sim.character(0).await;
    let path = format!("/sim/characters/{character_id}");
    assert_eq!(sim.control(Method::PATCH, &path, json!({ "corporation_id": 98_000_001 })).await, 204);
    let character = &sim.json("/sim/characters").await[0];
    assert_eq!((&character["corporation_id"], &character["is_director"]), (&json!(98_000_001), &json!(false)));
    assert_eq!(sim.control(Method::PATCH, &path, json!({ "is_director": true })).await, 204);
    assert_eq!(sim.json("/sim/characters").await[0]["is_director"], true);
    let lists = sim.json("/sim/truth").await["corporation_lists"].clone();
    let ids: Vec<_> = lists.as_array().unwrap().iter().map(|list| list["corporation_id"].as_i64().unwrap()).collect();
    assert_eq!((ids.len(), ids[0]), (2, 98_000_001));
    assert_eq!(sim.control(Method::PATCH, &path, json!({ "is_director": "yes" })).await, 400);
}

#[tokio::test]
async fn affiliation_calls_in_flight_are_those_that_really_wait() {
    let sim = Sim::start(Settings::default()).await;
    let (character_id, _) = sim.character(0).await;
    sim.put_faults(r#"[{"on":"affiliation","do":{"kind":"hold"}}]"#).await;
    let mut calls = JoinSet::new();
    for _ in 0..3 {
        calls.spawn(affiliation(&sim, &[character_id]).send());
    }
    sim.until("all calls are in flight", |counters| counters["parallel_affiliation_calls_max"] == 3).await;
    sim.remove_faults().await;
    assert!(calls.join_all().await.into_iter().all(|answer| answer.unwrap().status() == 200));
}
