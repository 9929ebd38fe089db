//! The login of a user through real HTTP, and the control routes for logins.

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};

use super::Sim;
use esi_sim::model::Settings;

impl Sim {
    async fn live(&self, index: usize) -> Vec<Value> {
        self.json("/sim/refresh-tokens").await[index]["refresh_tokens"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_login_from_the_discovery_document_to_the_refresh_token() {
    let sim = Sim::start(Settings::default()).await;
    let (character_id, _) = sim.character(2).await;
    assert_eq!(sim.control(Method::PUT, "/sim/choice", json!({ "character_id": character_id })).await, 204);
    let discovery = sim.json("/.well-known/oauth-authorization-server").await;
    let mut page = Url::parse(discovery["authorization_endpoint"].as_str().unwrap()).unwrap();
    page.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", "sim-client"),
        ("redirect_uri", "http://127.0.0.1:1/callback"),
        ("scope", "esi-killmails.read_killmails.v1 publicData"),
        ("state", "s"),
    ]);
    let browser = Client::builder().redirect(Policy::none()).build().unwrap();
    let answer = browser.get(page.clone()).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let back = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    let (_, code) = back.query_pairs().find(|(name, _)| name == "code").unwrap();
    let grant: Value = sim
        .client
        .post(discovery["token_endpoint"].as_str().unwrap())
        .basic_auth("sim-client", Some("sim-secret"))
        .form(&[("grant_type", "authorization_code"), ("code", &code)])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(sim.live(2).await[1], grant["refresh_token"]);

    assert_eq!(sim.client.delete(format!("{}/sim/choice", sim.url)).send().await.unwrap().status(), 204);
    assert_eq!(browser.get(page).send().await.unwrap().status(), 200);
    assert_eq!(sim.control(Method::PUT, "/sim/choice", json!("deny")).await, 204);
    assert_eq!(sim.control(Method::PUT, "/sim/choice", json!("nobody")).await, 400);

    let token = grant["access_token"].as_str().unwrap();
    assert_eq!(
        sim.get("/oauth2/validate").header("Authorization", format!("OAuth {token}")).send().await.unwrap().status(),
        200
    );
    let revoked = sim
        .client
        .post(discovery["revocation_endpoint"].as_str().unwrap())
        .basic_auth("sim-client", Some("sim-secret"))
        .form(&[("token", grant["refresh_token"].as_str().unwrap())]);
    assert_eq!(revoked.send().await.unwrap().status(), 200);
    assert_eq!(sim.get("/oauth2/validate").bearer_auth(token).send().await.unwrap().status(), 401);
    assert_eq!(sim.live(2).await.len(), 1);
    let requests = sim.json("/sim/counters").await["requests"].clone();
    assert_eq!([&requests["authorize"], &requests["validate"], &requests["revoke"]], [2, 2, 1]);
}

#[tokio::test]
async fn settings_of_sso_change_while_it_runs() {
    let sim = Sim::start(Settings::default()).await;
    let (character_id, token) = sim.character(0).await;
    let settings = json!({ "rotation": "one-time-only", "grace_seconds": 60, "sliding_lifetime_seconds": 600 });
    assert_eq!(sim.control(Method::PATCH, "/sim/sso", settings).await, 200);
    let settings = sim.json("/sim/sso").await;
    assert_eq!((&settings["rotation"], &settings["client_auth"]), (&json!("always-kill-old"), &json!("any")));
    for nonsense in [json!({ "rotation": "sometimes" }), json!({ "rotations": "never" }), json!([])] {
        assert_eq!(sim.control(Method::PATCH, "/sim/sso", nonsense.clone()).await, 400, "{nonsense}");
    }
    assert_eq!(sim.refresh(&token).send().await.unwrap().status(), 200);
    assert_eq!(sim.live(0).await.len(), 2, "the old one has its grace");
    assert_eq!(sim.control(Method::POST, "/sim/refresh-tokens/age", json!({ "seconds": 60 })).await, 204);
    assert_eq!(sim.live(0).await.len(), 1);
    assert_eq!(sim.control(Method::POST, "/sim/refresh-tokens/age", json!({ "seconds": 540 })).await, 204);
    assert!(sim.live(0).await.is_empty() && sim.live(4).await.is_empty());

    let change = json!({ "name": "Another Name", "owner": "b3duZXI=", "scopes": ["publicData"] });
    assert_eq!(sim.control(Method::PATCH, &format!("/sim/characters/{character_id}"), change).await, 204);
    assert_eq!(sim.json("/sim/characters").await[0]["name"], "Another Name");
    assert_eq!(sim.control(Method::PATCH, "/sim/characters/1", json!({})).await, 404);
}

#[tokio::test]
async fn a_held_answer_has_happened_when_its_caller_goes_away() {
    let mut settings = Settings::default();
    settings.sso.rotation = esi_sim::model::sso_settings::Rotation::AlwaysKillOld;
    let sim = Sim::start(settings).await;
    let (_, token) = sim.character(0).await;
    sim.put_faults(r#"[{"on":"token","do":{"kind":"hold_answer"}}]"#).await;
    let mut call = tokio::task::JoinSet::new();
    call.spawn(sim.refresh(&token).send());
    sim.until("the fault has bitten", |counters| counters["responses"]["200"] == 1).await;
    call.shutdown().await;
    sim.remove_faults().await;
    assert_eq!(sim.refresh(&token).send().await.unwrap().status(), 400, "the old one is consumed");
}
